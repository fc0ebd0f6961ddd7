package docs

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/cli"
)

var (
	call     = regexp.MustCompile(`(?:^|[\s|;"'(])checkpoint ([a-z][a-z-]*)((?: [^|\n;#]*)?)`)
	callFlag = regexp.MustCompile(`(?:^|\s)(--?[a-zA-Z][a-z-]*)`)
	helpName = regexp.MustCompile(`(?m)^ +(?:(-[a-zA-Z]), )?(--[a-z-]+)`)
)

// TestCommands: every command and flag that a document shows is one that the
// command's help knows.
func TestCommands(t *testing.T) {
	t.Parallel()
	known := map[string]map[string]bool{} // flags by command
	seen := 0
	for _, p := range pages(t) {
		if p.name == "CHANGELOG.md" {
			continue // which also tells of what is gone
		}
		for _, line := range shown(p) {
			for _, m := range call.FindAllStringSubmatch(line, -1) {
				seen++
				command := m[1]
				if known[command] == nil {
					known[command] = help(t, command)
				}
				if len(known[command]) == 0 {
					t.Errorf("%s shows %q: the command has no %s", p.name, strings.TrimSpace(line), command)
					continue
				}
				for _, f := range callFlag.FindAllStringSubmatch(m[2], -1) {
					if !known[command][f[1]] {
						t.Errorf("%s shows %q: %s has no flag %s", p.name, strings.TrimSpace(line), command, f[1])
					}
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("found %d calls of the command, fewer than there are", seen)
	}
}

// shown returns the pieces of a document that a reader would type.
func shown(p page) []string {
	var all []string
	for _, f := range p.code("sh") {
		for line := range strings.Lines(f.code) {
			line, _, _ = strings.Cut(line, " #")
			line = strings.ReplaceAll(line, "go run ./cmd/checkpoint", "checkpoint")
			all = append(all, line)
		}
	}
	for _, term := range terms(p.prose()) {
		if strings.HasPrefix(term, "checkpoint ") {
			all = append(all, term)
		}
	}
	return all
}

// help returns the flags that the help of a command lists, none where there is
// no such command.
func help(t *testing.T, command string) map[string]bool {
	t.Helper()
	flags := map[string]bool{}
	var out, errs bytes.Buffer
	if code := cli.Run(context.Background(), []string{command, "--help"}, strings.NewReader(""), &out, &errs); code != 0 {
		return flags
	}
	if strings.Contains(out.String(), "Start here:") && command != "help" { // the root's help, for want of such a command
		return flags
	}
	for _, m := range helpName.FindAllStringSubmatch(out.String(), -1) {
		flags[m[1]], flags[m[2]] = true, true
	}
	return flags
}

// TestUnknownCommand: the test above can fail.
func TestUnknownCommand(t *testing.T) {
	t.Parallel()
	if flags := help(t, "lsit"); len(flags) != 0 {
		t.Errorf("help knows %v of a command that is not there", flags)
	}
	if flags := help(t, "list"); !flags["--prefix"] || !flags["--store"] || flags["--prefxi"] {
		t.Errorf("help knows %v of list", flags)
	}
}

// Package docs checks the project's pages: every Go snippet compiles, and every
// link to a file leads somewhere.
package docs

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/cli/exportfile"
)

const root = "../../.."

func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		t.Fatal("no pages found")
	}
	return all
}

// TestExportExample reads the example of the export's format.
func TestExportExample(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs", "export.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```jsonl\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the page has no example")
	}
	r, err := exportfile.NewReader(strings.NewReader(example), 1<<10)
	for err == nil {
		_, err = r.Next()
	}
	if err != io.EOF {
		t.Error(err)
	}
}

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// A snippet that is no file of its own stands in a function with what a reader
// would have at hand.
const (
	imports = `package main

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
)

var (
	_ = base64.StdEncoding
	_ = errors.Is
	_ = fmt.Sprint
	_ = log.Print
	_ = slog.Info
	_ = os.Getenv
	_ = time.Hour
	_ *sql.DB
)

type State struct {
	Messages []string
	Step     int
}

func unseal(context.Context, []byte) ([]byte, error) { return nil, nil }

func main() {}

`
	function = `func snippet(ctx context.Context, store *checkpoint.Store, state State, db *sql.DB, sealed []byte) error {
	var err error
	{
%s
	}
	return err
}
`
)

// TestSnippets compiles every Go snippet of every page. What a snippet leaves
// unused, as a page may, is used for it.
func TestSnippets(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: compiling the pages' snippets takes seconds, and -short is set")
	}
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range goBlock.FindAllStringSubmatch(string(text), -1) {
			t.Run(fmt.Sprintf("%s/%d", filepath.Base(page), i+1), func(t *testing.T) {
				t.Parallel()
				compile(t, m[1])
			})
		}
	}
}

var declared = regexp.MustCompile(`(?m)^(\w+(?:, \w+)*) :=`)

func compile(t *testing.T, snippet string) {
	t.Helper()
	name, source := "snippet.go", snippet
	switch {
	case strings.HasPrefix(snippet, "package ") && strings.Contains(snippet, "\"testing\""):
		name = "snippet_test.go"
	case strings.HasPrefix(snippet, "package "):
	case strings.HasPrefix(snippet, "import "), strings.HasPrefix(snippet, "func "), strings.HasPrefix(snippet, "type "):
		source = "package main\n\n" + snippet + "\nfunc main() {}\n"
	default:
		body := snippet
		for _, m := range declared.FindAllStringSubmatch(snippet, -1) {
			body += "\n_, _ = " + m[1]
			if !strings.Contains(m[1], ",") {
				body = strings.TrimSuffix(body, "_, _ = "+m[1]) + "_ = " + m[1]
			}
		}
		source = imports + fmt.Sprintf(function, body)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "vet", filepath.Join(dir, name))
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("does not compile: %v\n%s\n%s", err, out, source)
	}
}

var block = regexp.MustCompile("(?ms)^```.*?^```$")

var link = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)

// TestLinks: every relative link of a page leads to a file or folder.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(block.ReplaceAllString(string(text), ""), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", filepath.Base(page), m[1], err)
			}
		}
	}
}

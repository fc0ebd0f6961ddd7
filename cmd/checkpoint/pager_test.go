package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// TestNarrowTerminal: the tables fit 60 columns, and history goes without ids.
func TestNarrowTerminal(t *testing.T) {
	t.Parallel()
	url := fillStore(t, 3, 2)
	thread := "user-000000-" + strings.Repeat("long-name-", 5)
	for _, args := range [][]string{{"history", thread}, {"list"}, {"list", "--all-namespaces"}} {
		output, status := onTerminalOf(t, 60, url, nil, args...).end()
		if status != 0 || !strings.Contains(output, "VERSION") {
			t.Errorf("%q: exit status %d and\n%s", args, status, output)
		}
		for _, line := range screen(output) {
			if got := terminal.TextWidth(line); got > 60 {
				t.Errorf("%q: a line of %d columns: %q", args, got, line)
			}
		}
	}
	if narrow, _ := onTerminalOf(t, 60, url, nil, "history", thread).end(); strings.Contains(narrow, "ID") {
		t.Errorf("history on 60 columns shows ids:\n%s", narrow)
	}
	if wide, _ := onTerminal(t, url, nil, "history", thread).end(); !strings.Contains(wide, "ID") {
		t.Errorf("history on 80 columns shows no ids:\n%s", wide)
	}
}

// TestPager shows what a terminal gets through $PAGER, and nothing else does.
func TestPager(t *testing.T) {
	t.Parallel()
	url := fillStore(t, 2, 2)
	thread := "user-000000-" + strings.Repeat("long-name-", 5)
	script := filepath.Join(t.TempDir(), "pager")
	if err := os.WriteFile(script, []byte("echo PAGED\ncat\necho END\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pager := []string{"PAGER=sh " + script}
	for _, args := range [][]string{{"list"}, {"history", thread}, {"diff", thread}, {"log", thread}, {"load", thread}} {
		output, status := onTerminal(t, url, pager, args...).end()
		lines := screen(output)
		if status != 0 || lines[0] != "PAGED" || !strings.Contains(output, "END") || !strings.Contains(strings.Join(lines, "\n"), "step") && args[0] != "list" && args[0] != "history" {
			t.Errorf("%q: exit status %d and\n%s\nwant its output through the pager", args, status, output)
		}
		for _, line := range lines {
			if got := terminal.TextWidth(line); got > 80 && args[0] != "log" && args[0] != "load" {
				t.Errorf("%q: a line of %d columns behind the pager: %q", args, got, line)
			}
		}
	}
	for _, args := range [][]string{{"list", "--no-pager"}, {"list", "--json"}, {"stat", thread}} {
		if output, status := onTerminal(t, url, pager, args...).end(); status != 0 || strings.Contains(output, "PAGED") {
			t.Errorf("%q: exit status %d and\n%s\nwant no pager", args, status, output)
		}
	}
	// A reader who has seen enough is no error, nor is a pager that is missing.
	for _, env := range []string{"PAGER=head -c 1", "PAGER=/nowhere/pager"} {
		if output, status := onTerminal(t, url, []string{env}, "list").end(); status != 0 || strings.Contains(output, "checkpoint:") {
			t.Errorf("with %s: exit status %d and\n%s", env, status, output)
		}
	}
	if output, status := onTerminal(t, url, pager, "load", "nobody").end(); status != 3 || !strings.Contains(output, "not found") {
		t.Errorf("load of what is not there: exit status %d and\n%s", status, output)
	}
}

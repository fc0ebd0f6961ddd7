package main

import (
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// TestPatchesOnNarrowTerminals shows a thread that was saved incrementally on 60
// columns.
func TestPatchesOnNarrowTerminals(t *testing.T) {
	t.Parallel()
	url := stores["redis"](t)
	store, err := checkpoint.OpenURL(url, checkpoint.WithHistory(5), checkpoint.WithIncremental())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for n := range 3 {
		state := map[string]any{"n": n, "text": strings.Repeat("the same as before; ", 1000)}
		if _, err := store.Save(t.Context(), "thread", state, checkpoint.Metadata(map[string]string{"author": strings.Repeat("somebody ", 20)})); err != nil {
			t.Fatal(err)
		}
	}
	for command, want := range map[string]string{"history": "BASE", "stat": "stored"} {
		output, status := onTerminalOf(t, 60, url, nil, command, "thread").end()
		lines := screen(output)
		if status != 0 || !strings.Contains(strings.Join(lines, "\n"), want) {
			t.Errorf("%s: exit status %d and\n%s\nwant %s", command, status, output, want)
		}
		for _, line := range lines {
			if got := terminal.TextWidth(line); got > 60 && command == "history" {
				t.Errorf("%s: a line of %d columns: %q", command, got, line)
			}
		}
	}
}

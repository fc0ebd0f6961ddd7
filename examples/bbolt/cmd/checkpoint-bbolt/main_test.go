package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/cli"
)

// TestCommand shows that the command knows the driver that is built into it, and no
// other one.
func TestCommand(t *testing.T) {
	store := "bbolt:" + filepath.Join(t.TempDir(), "agents.bolt")
	for _, step := range []struct {
		args, in string
		status   int
		want     string
	}{
		{"save thread", `{"step":1}`, 0, ""},
		{"load thread", "", 0, `"step":1`},
		{"list", "", 0, "thread"},
		{"drivers", "", 0, "bbolt:agents.bolt"},
		{"delete thread", "", 0, ""},
		{"load thread", "", 3, "thread"},
		{"list --store postgres://localhost/agents", "", 2, "unknown driver"},
	} {
		var out bytes.Buffer
		args := append([]string{"--store", store}, strings.Fields(step.args)...)
		status := cli.Run(t.Context(), args, strings.NewReader(step.in), &out, &out)
		if status != step.status || !strings.Contains(out.String(), step.want) {
			t.Errorf("%s: exit status %d, want %d with %q in its output:\n%s", step.args, status, step.status, step.want, &out)
		}
	}
}

package checkpointtest_test

import (
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
)

// TestBrief: the calls go, and what is said after them stays.
func TestBrief(t *testing.T) {
	t.Parallel()
	const calls = "\n\tthe calls before:\n\t  Save() = 1\n\t  Load() = 2"
	for reason, want := range map[string]string{
		"":                                   "",
		"got 1, want 2":                      "got 1, want 2",
		"got 1, want 2" + calls:              "got 1, want 2",
		"got 1" + calls + "\ngot 3\n\tand 4": "got 1\ngot 3\n\tand 4",
		"got 1" + calls + "\n\tlikely cause": "got 1\n\tlikely cause",
	} {
		if got := (checkpointtest.Result{Reason: reason}).Brief(); got != want {
			t.Errorf("%q: got %q, want %q", reason, got, want)
		}
	}
	report := checkpointtest.Verify(t.Context(), loading(func(c *driver.Checkpoint) { c.Version++ }).opener(), checkpointtest.Cases(func(name string) bool { return name == "Raw/Save/Info" }))
	if r := report.Results[0]; !strings.Contains(r.Reason, "the calls before:") || strings.Contains(r.Brief(), "Save({") {
		t.Errorf("the reason %q is %q in brief", r.Reason, r.Brief())
	}
}

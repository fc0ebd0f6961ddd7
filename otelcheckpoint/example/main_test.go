package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestExample: the program shows spans and metrics, and no thread.
func TestExample(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"save demo"`, `"load demo"`, `"turn"`, "db.client.operation.duration", "checkpoint.conflicts", "checkpoint.incremental"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the program does not print %s", want)
		}
	}
	if strings.Contains(out.String(), "user-123") {
		t.Error("the program prints the thread's name")
	}
}

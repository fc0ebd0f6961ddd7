package consumer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCopyOfMemoryDriver builds a copy of drivers/memory in a module of its
// own, as one who writes a driver begins: it must not need a package that is
// internal here.
func TestCopyOfMemoryDriver(t *testing.T) {
	t.Parallel()
	dir := newConsumer(t, "driver")
	files, err := filepath.Glob("../../../drivers/memory/*.go")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "mydb"), 0o700); err != nil {
		t.Fatal(err)
	}
	copied := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "mydb", filepath.Base(file)), text, 0o600); err != nil {
			t.Fatal(err)
		}
		copied++
	}
	if copied == 0 {
		t.Fatal("drivers/memory has no files")
	}
	tidy(t, dir)
	run(t, dir, "build", "./...")
}

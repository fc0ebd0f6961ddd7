package sqlitelibraries

import (
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
)

// Beside opens a file by its name that the library has open in this process: the driver's
// own library would not see its locks.
func (l Library) Beside(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: what a process has open is looked for on Linux alone")
	}
	file := filepath.Join(t.TempDir(), "agents.db")
	db := l.Open(t, file, l.Words)
	theirs := sqlite.New(db, sqlite.Config{})
	if _, err := theirs.Save(t.Context(), request("t", "state")); err != nil {
		t.Fatal(err)
	}
	ours, err := sqlite.Driver{}.Open("sqlite:" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	_, err = ours.Save(t.Context(), request("t", "another"))
	if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), "sqlite.New") {
		t.Errorf("Save into a file that another library has open: %v, want ErrInvalid that names sqlite.New", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Save(t.Context(), request("t", "another")); err != nil {
		t.Errorf("Save after the other library has closed the file: %v", err)
	}
}

package sqlite_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// TestFileReplaced takes the file away under an open store: no save is
// acknowledged, and nothing old is read, until the file is back.
func TestFileReplaced(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps open files where they are")
	}
	for _, tt := range []struct {
		name    string
		replace bool
		want    string
	}{
		{"removed", false, "database unavailable: FILE was removed while it was open: put it back, or open the store again to begin with a new file"},
		{"replaced", true, "database unavailable: FILE was replaced by another file while it was open: open the store again to use that one"},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "agents.db")
		b := open(t, file)
		save(t, b, request("t", "1"))
		aside := filepath.Join(t.TempDir(), "agents.db")
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Rename(file+suffix, aside+suffix); err != nil {
				t.Fatal(err)
			}
		}
		if tt.replace {
			other := open(t, file)
			req := request("once", "{}")
			req.Match.Absent = true
			save(t, other, req)
			other.Close()
		}
		var loadErr error
		for began := time.Now(); loadErr == nil && time.Since(began) < 10*time.Second; { // see recently
			_, loadErr = b.Load(t.Context(), driver.LoadRequest{Key: key("t"), Now: now})
		}
		req := request("once", "{}")
		req.Match.Absent = true
		_, saveErr := b.Save(t.Context(), req)
		for call, err := range map[string]error{
			"Save": saveErr, "Load": loadErr, "Ping": b.Ping(t.Context()),
			"Delete": b.Delete(t.Context(), driver.DeleteRequest{Key: key("t")}),
		} {
			if got := strings.ReplaceAll(fmt.Sprint(err), file, "FILE"); got != tt.want || !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("%s: %s: %s, want %s", tt.name, call, got, tt.want)
			}
		}
		if tt.replace {
			continue
		}
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Rename(aside+suffix, file+suffix); err != nil {
				t.Fatal(err)
			}
		}
		if got := load(t, b, "t"); got != "1" {
			t.Errorf("put back: loaded %s, want 1", got)
		}
		save(t, b, req)
	}
}

// TestHardLinks refuses a file of two names.
func TestHardLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, second := filepath.Join(dir, "agents.db"), filepath.Join(dir, "second.db")
	b := open(t, file)
	save(t, b, request("t", "1"))
	b.Close()
	if err := os.Link(file, second); err != nil {
		t.Skipf("this file system has no hard links: %v", err)
	}
	for _, path := range []string{file, second} {
		b := open(t, path)
		want := "invalid database: " + path + " has 2 names (hard links), and each would have a write-ahead log of its own, which destroys the database: remove the others, or set allow_links=true if every process uses the same name"
		if _, err := b.Save(t.Context(), request("t", "2")); fmt.Sprint(err) != want || !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("Save: %v, want %s", err, want)
		}
	}
	allowed := open(t, file+"?allow_links=true")
	if got := load(t, allowed, "t"); got != "1" {
		t.Errorf("with allow_links: loaded %s, want 1", got)
	}
	allowed.Close()
	if err := os.Remove(second); err != nil {
		t.Fatal(err)
	}
	save(t, open(t, file), request("t", "2"))
}

// TestSymbolicLinks opens one file by its name and by links to it, the last of
// which leads to a file that is not there yet.
func TestSymbolicLinks(t *testing.T) {
	t.Parallel()
	dir, links := t.TempDir(), t.TempDir()
	file, link, chain := filepath.Join(dir, "agents.db"), filepath.Join(links, "link.db"), filepath.Join(links, "chain.db")
	for name, target := range map[string]string{link: file, chain: "link.db"} {
		if err := os.Symlink(target, name); err != nil {
			t.Skipf("this system has no symbolic links: %v", err)
		}
	}
	for i, name := range []string{chain, file, link} {
		b := open(t, name)
		if info := save(t, b, request("t", "{}")); info.Version != int64(i+1) {
			t.Errorf("%s: version %d, want %d", name, info.Version, i+1)
		}
	}
	if got := files(t, dir); !strings.Contains(got, "agents.db-wal") {
		t.Errorf("beside the file are %s, want its log", got)
	}
	if got := files(t, links); strings.Contains(got, "-wal") {
		t.Errorf("beside the links are %s, want nothing", got)
	}
}

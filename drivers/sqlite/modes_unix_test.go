//go:build unix

package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
)

// TestModes looks at the modes of the files while a store is open, whatever
// the process takes away from the modes of new ones.
func TestModes(t *testing.T) {
	t.Parallel()
	for _, umask := range []string{"0", "022", "077", "0777"} {
		dir := t.TempDir()
		want := []string{"agents.db -rw-------", "agents.db-shm -rw-------", "agents.db-wal -rw-------"}
		got := start(t, "umask", nil, umask, dir).rest(t)
		if !slices.Equal(got, want) {
			t.Errorf("umask %s: %q, want %q", umask, got, want)
		}
	}
}

func umaskChild(args []string) {
	var umask int
	_, err := fmt.Sscanf(args[0], "%o", &umask)
	must(err)
	syscall.Umask(umask)
	b := childOpen(filepath.Join(args[1], "agents.db"))
	_, err = b.Save(context.Background(), request("t", "{}"))
	must(err)
	entries, err := os.ReadDir(args[1])
	must(err)
	for _, e := range entries {
		info, err := e.Info()
		must(err)
		say("%s %s", e.Name(), info.Mode())
	}
	must(b.Close())
}

func childOpen(dsn string) driver.Backend {
	b, err := sqlite.Driver{}.Open(dsn)
	must(err)
	return b
}

// TestExistingModes opens files that somebody has made: their modes are that
// somebody's business.
func TestExistingModes(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o644, 0o660, 0o600} {
		dir := t.TempDir()
		file := filepath.Join(dir, "agents.db")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		b := open(t, file)
		save(t, b, request("t", "{}"))
		want := fmt.Sprintf("agents.db %[1]v, agents.db-shm %[1]v, agents.db-wal %[1]v", mode)
		if got := files(t, dir); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestReadOnly has another user, who may only read, use the store: reading
// works where it can, and every error says what is missing.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	const (
		readOnly  = "database unavailable: FILE cannot be written: give this user the right to write to the file and to its folder, where SQLite keeps files beside it (attempt to write a readonly database (8))"
		unopened  = "database unavailable: FILE cannot be opened: give this user the right to read and write the file and its folder (unable to open database file (14))"
		uncreated = "database unavailable: FILE cannot be created: give this user the right to write to the folder (unable to open database file (14))"
	)
	works := []string{`load {"n":1}`, "list t 1", "history 1", "save " + readOnly, "delete " + readOnly, "import " + readOnly}
	fails := func(err string) []string {
		return []string{"load " + err, "list " + err, "history " + err, "save " + err, "delete " + err, "import " + err}
	}
	for _, tt := range []struct {
		name         string
		file, folder os.FileMode
		live         bool // somebody who may write has the store open
		missing      bool
		link         bool // it is opened by a symbolic link elsewhere
		released     bool // it has no table of chains
		want         []string
	}{
		{name: "file", file: 0o444, folder: 0o777, want: works},
		{name: "file and folder", file: 0o444, folder: 0o555, want: works},
		{name: "file and folder of a live store", file: 0o644, folder: 0o755, live: true, want: works},
		{name: "link to the file of a live store", file: 0o644, folder: 0o755, live: true, link: true, want: works},
		{name: "file of the first release", file: 0o444, folder: 0o777, released: true, want: works},
		{name: "file of the first release, and folder", file: 0o444, folder: 0o555, released: true, want: works},
		{name: "file of a live store", file: 0o644, folder: 0o777, live: true, want: works},
		{name: "no right to read", file: 0o200, folder: 0o777, want: fails(unopened)},
		{name: "no right to create", missing: true, folder: 0o555, want: fails(uncreated)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := publicDir(t)
			file := filepath.Join(dir, "agents.db")
			if !tt.missing {
				if err := os.WriteFile(file, nil, 0o644); err != nil {
					t.Fatal(err)
				}
				b := open(t, file)
				save(t, b, request("t", `{"n":1}`))
				if !tt.live {
					b.Close()
				} else if os.Getuid() != 0 {
					t.Skip("needs another user, and so root")
				}
				if tt.released {
					db := given(t, "file:"+file, 1)
					if _, err := db.Exec("DROP TRIGGER agent_checkpoints_chains_end; DROP TABLE agent_checkpoints_chains"); err != nil {
						t.Fatal(err)
					}
					db.Close()
				}
				if err := os.Chmod(file, tt.file); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(dir, tt.folder); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Chmod(dir, 0o755) })
			name := file
			if tt.link {
				name = filepath.Join(publicDir(t), "link.db")
				if err := os.Symlink(file, name); err != nil {
					t.Fatal(err)
				}
			}
			got := start(t, "readOnly", nobody(), name).rest(t)
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], name, "FILE")
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(tt.want, "\n\t"))
			}
		})
	}
}

func readOnlyChild(args []string) {
	b := childOpen(args[0])
	defer b.Close()
	ctx := context.Background()
	c, err := b.Load(ctx, driver.LoadRequest{Key: key("t"), Now: now})
	sayResult("load", string(c.Payload), err)
	for info, err := range b.List(ctx, driver.ListRequest{Namespace: "agents", Now: now}) {
		sayResult("list", fmt.Sprint(info.Thread, " ", info.Version), err)
	}
	for info, err := range b.History(ctx, driver.HistoryRequest{Key: key("t"), Now: now}) {
		sayResult("history", fmt.Sprint(info.Version), err)
	}
	info, err := b.Save(ctx, request("t", "{}"))
	sayResult("save", fmt.Sprint(info.Version), err)
	sayResult("delete", "", b.Delete(ctx, driver.DeleteRequest{Key: key("t")}))
	c.Version++
	sayResult("import", "", b.(driver.Importer).Import(ctx, driver.ImportRequest{Checkpoint: c, Now: now, Keep: 1}))
}

func sayResult(op, result string, err error) {
	if err != nil {
		result = err.Error()
	}
	say("%s %s", op, result)
}

// TestFrozenFileChanges has a file written while another process reads it that
// cannot know of it in the ordinary way: it notices all the same, before it
// returns what may be torn.
func TestFrozenFileChanges(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs another user, and so root")
	}
	dir := publicDir(t)
	file := filepath.Join(dir, "agents.db")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b := open(t, file)
	save(t, b, request("t", `1`))
	b.Close()
	reader := start(t, "frozen", nobody(), file)
	if got, want := reader.line(t), "load 1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	changed := "load database unavailable: " + file + " is being written by another process, and cannot be read without the right to write to its folder: give it to this user, and open the store again"
	b = open(t, file)
	save(t, b, request("t", `2`)) // in the write-ahead log
	fmt.Fprintln(reader.in)
	if got := reader.line(t); got != changed {
		t.Errorf("beside a log: got %s, want %s", got, changed)
	}
	b.Close() // in the file, and the log is gone
	fmt.Fprintln(reader.in)
	if got := reader.line(t); got != changed {
		t.Errorf("after the log: got %s, want %s", got, changed)
	}
	reader.in.Close()
	reader.rest(t)
	reader = start(t, "frozen", nobody(), file)
	if got, want := reader.line(t), "load 2"; got != want {
		t.Errorf("opened again: got %s, want %s", got, want)
	}
}

func frozenChild(args []string) {
	b := childOpen(args[0])
	in := bufio.NewScanner(os.Stdin)
	for ok := true; ok; ok = in.Scan() {
		c, err := b.Load(context.Background(), driver.LoadRequest{Key: key("t"), Now: now})
		sayResult("load", string(c.Payload), err)
	}
}

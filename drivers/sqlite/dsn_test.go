package sqlite_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
)

func TestParseConfig(t *testing.T) {
	t.Parallel()
	config := func(path string, change ...func(*sqlite.Config)) sqlite.Config {
		c := sqlite.Config{Path: path, TableName: "agent_checkpoints", BusyTimeout: 5 * time.Second}
		for _, f := range change {
			f(&c)
		}
		return c
	}
	for _, tt := range []struct {
		dsn  string
		want sqlite.Config
	}{
		{"agents.db", config("agents.db")},
		{"/var/lib/agents.db", config("/var/lib/agents.db")},
		{"sqlite:agents.db", config("agents.db")},
		{"sqlite:data/agents.db", config("data/agents.db")},
		{"sqlite:/var/x.db", config("/var/x.db")},
		{"sqlite:///var/x.db", config("/var/x.db")},
		{"sqlite://localhost/var/x.db", config("/var/x.db")},
		{"file:agents.db", config("agents.db")},
		{"file:///var/x.db", config("/var/x.db")},
		{"sqlite:my%20agents%3F%25%23.db", config("my agents?%#.db")},
		{"sqlite:a+b#c&d=e.db", config("a+b#c&d=e.db")},
		{"my%20agents#1&x=y.db", config("my%20agents#1&x=y.db")}, // taken literally
		{"a:b.db", config("a:b.db")},
		{":memory:", config(":memory:")},
		{"sqlite::memory:", config(":memory:")},
		{"file::memory:?", config(":memory:")},
		{"agents.db?table_name=t1&synchronous=normal&busy_timeout=250ms", config("agents.db", func(c *sqlite.Config) {
			c.TableName, c.Synchronous, c.BusyTimeout = "t1", sqlite.Normal, 250*time.Millisecond
		})},
		{"agents.db?synchronous=full", config("agents.db")},
		{"agents.db?allow_links=true", config("agents.db", func(c *sqlite.Config) { c.AllowLinks = true })},
	} {
		got, err := sqlite.ParseConfig(tt.dsn)
		if got != tt.want || err != nil {
			t.Errorf("ParseConfig(%q) = %+v, %v; want %+v", tt.dsn, got, err, tt.want)
		}
	}
}

func TestParseConfigErrors(t *testing.T) {
	t.Parallel()
	const (
		table    = `want letters, digits and underscores, no digit first, not sqlite_ first, at most 40 bytes`
		host     = `invalid DSN: a URL with // goes on with the absolute path of the file: write sqlite:///folder/agents.db, or sqlite:agents.db for a relative path`
		nofile   = `invalid DSN: it names no file: write sqlite:agents.db, or :memory: for a database that ends with the store`
		blanks   = `invalid DSN: it begins or ends with a blank or a line end; take it out`
		quoted   = `invalid DSN: it stands in quotes; take them out`
		relative = `invalid DSN: after // stands an absolute path, and this one looks like a relative one: write sqlite:./agents.db`
		other    = `invalid DSN: it is the URL of another database: want :memory:, sqlite:PATH, file:PATH or a path`
		words    = `; this driver's words: allow_links, busy_timeout, synchronous, table_name; every driver's: compress, history, incremental, max_state_size, namespace, ttl`
	)
	for _, tt := range []struct{ dsn, want string }{
		{"", nofile},
		{"sqlite:", nofile},
		{"agents.db\n", blanks},
		{" sqlite:agents.db", blanks},
		{"\r\n", blanks},
		{`"agents.db"`, quoted},
		{"'sqlite:agents.db'", quoted},
		{"sqlite:///./x.db", relative},
		{"file:///../x.db?synchronous=full", relative},
		{"file:?table_name=t", nofile},
		{"?table_name=t", nofile},
		{"sqlite://agents.db", host},
		{"sqlite://host/agents.db", host},
		{"file://", host},
		{"postgres://user:secret@host/agents", other},
		{"sqlite:100%.db", "invalid DSN: the path has a % that starts no escape: write %25 in a URL, or the path without a scheme"},
		{"sqlite:a%00b", "invalid DSN: the path contains a NUL byte"},
		{"a\x00b", "invalid DSN: the path contains a NUL byte"},
		{"agents.db?table_name=", `invalid DSN: word "table_name" is "": ` + table},
		{"agents.db?table_name=a;drop", `invalid DSN: word "table_name" is "a;drop": ` + table},
		{"agents.db?table_name=1a", `invalid DSN: word "table_name" is "1a": ` + table},
		{"agents.db?table_name=SQLite_x", `invalid DSN: word "table_name" is "SQLite_x": ` + table},
		{"agents.db?table_name=main.t", `invalid DSN: word "table_name" is "main.t": ` + table},
		{"agents.db?synchronous=off", `invalid DSN: word "synchronous" is "off": want full or normal`},
		{"agents.db?busy_timeout=5", `invalid DSN: word "busy_timeout" is "5": want a duration above 0 such as 500ms or 5s`},
		{"agents.db?busy_timeout=0", `invalid DSN: word "busy_timeout" is "0": want a duration above 0 such as 500ms or 5s`},
		{"agents.db?busy_timeout=-1s", `invalid DSN: word "busy_timeout" is "-1s": want a duration above 0 such as 500ms or 5s`},
		{"agents.db?synchronous=full&synchronous=full", `invalid DSN: word "synchronous" is given twice`},
		{"agents.db?_pragma=x", `invalid DSN: what follows '?' must be word=value pairs joined by '&' (write %3F for a '?' and %26 for a '&' that belong to a name or password)`},
		{"agents.db?mode=ro", `invalid DSN: unknown word "mode"` + words},
		{"agents.db?password=secret&mode=ro", `invalid DSN: unknown words "mode", "password"` + words},
	} {
		_, err := sqlite.ParseConfig(tt.dsn)
		if fmt.Sprint(err) != tt.want || !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("ParseConfig(%q): %v, want %s", tt.dsn, err, tt.want)
		}
		if _, err := (sqlite.Driver{}).Open(tt.dsn); fmt.Sprint(err) != tt.want {
			t.Errorf("Open(%q): %v, want %s", tt.dsn, err, tt.want)
		}
	}
}

func TestNewRefusesTableName(t *testing.T) {
	t.Parallel()
	b := sqlite.New(given(t, ":memory:", 1), sqlite.Config{TableName: `x"; DROP TABLE users; --`})
	const want = "invalid table name: want letters, digits and underscores, no digit first, not sqlite_ first, at most 40 bytes"
	if err := b.Ping(t.Context()); fmt.Sprint(err) != want || !errors.Is(err, driver.ErrInvalid) {
		t.Errorf("Ping: %v, want %s", err, want)
	}
	if _, err := b.Load(t.Context(), driver.LoadRequest{Key: key("t")}); fmt.Sprint(err) != want {
		t.Errorf("Load: %v, want %s", err, want)
	}
	b.Close()
	if err := b.Ping(t.Context()); err != driver.ErrClosed {
		t.Errorf("Ping after Close: %v, want %v", err, driver.ErrClosed)
	}
}

// TestPaths creates a file at each path and looks that it is there, and no
// other: whatever a path contains must not be read as something else.
func TestPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a.db", "a b.db", "a#b.db", "a%20b.db", "a&b=c.db", "é😀.db", "a'b\".db", "a;b.db", "a+b.db", ":memory:x", "file:a.db"} {
		dir := t.TempDir()
		b := open(t, filepath.Join(dir, name))
		save(t, b, request("t", `{}`))
		if err := b.Close(); err != nil {
			t.Errorf("%q: Close: %v", name, err)
		}
		if got := files(t, dir); got != name+" -rw-------" {
			t.Errorf("%q: the folder holds %q, want %q", name, got, name+" -rw-------")
		}
	}
	dir := t.TempDir()
	url := "sqlite://" + dir + "/a%3Fb%25.db?namespace=n"
	store, err := checkpoint.OpenURL(url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Save(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	store.Close()
	if got, want := files(t, dir), "a?b%.db -rw-------"; got != want {
		t.Errorf("%s: the folder holds %q, want %q", url, got, want)
	}
}

// TestRelativePath changes the working directory between two operations: the
// file stays the same, also for connections that are opened later.
func TestRelativePath(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	t.Chdir(first)
	b := open(t, "agents.db")
	save(t, b, request("t", `{}`))
	t.Chdir(second)
	if got := load(t, b, "t"); got != `{}` {
		t.Errorf("loaded %s, want {}", got)
	}
	if got := files(t, second); got != "" {
		t.Errorf("the new working directory holds %q, want nothing", got)
	}
}

// TestOpenDoesNoIO opens what cannot be opened.
func TestOpenDoesNoIO(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, dsn := range []string{filepath.Join(dir, "a.db"), filepath.Join(dir, "no", "b.db"), dir} {
		b := open(t, dsn)
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if got := files(t, dir); got != "" {
		t.Errorf("Open created %s", got)
	}
}

// files lists a folder: names and modes.
func files(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e.Name()+" "+info.Mode().String())
	}
	return strings.Join(list, ", ")
}

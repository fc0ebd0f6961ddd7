package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
)

// TestNotADatabase opens files of other kinds. They are refused, and neither
// they nor their folders change.
func TestNotADatabase(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"short":  "hello",
		"long":   strings.Repeat("not a database ", 10_000),
		"header": "SQLite format 3\x00 and then something else",
		"zeros":  string(make([]byte, 8192)),
	} {
		file := filepath.Join(t.TempDir(), "notes.txt")
		if err := os.WriteFile(file, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		b := open(t, file)
		want := "stored state is damaged or does not fit: " + file + " is not an SQLite database, and is left as it is: name another file (file is not a database (26))"
		if err := b.Ping(t.Context()); fmt.Sprint(err) != want || !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("%s: Ping: %v, want %s", name, err, want)
		}
		if _, err := b.Save(t.Context(), request("t", "{}")); fmt.Sprint(err) != want {
			t.Errorf("%s: Save: %v, want %s", name, err, want)
		}
		b.Close()
		if after, err := os.ReadFile(file); err != nil || string(after) != content {
			t.Errorf("%s: the file has changed (error %v)", name, err)
		}
		if got, want := files(t, filepath.Dir(file)), "notes.txt -rw-r-----"; got != want {
			t.Errorf("%s: the folder holds %s, want %s", name, got, want)
		}
	}
}

func TestPathErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	notes := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(notes, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, want string }{
		{dir, dir + " is a folder: name a file in it, such as " + dir + "/agents.db (disk I/O error (10))"},
		{dir + "/", dir + " is a folder: name a file in it, such as " + dir + "/agents.db (disk I/O error (10))"},
		{filepath.Join(dir, "no", "agents.db"), "there is no folder " + dir + "/no: create it first (unable to open database file (14))"},
		{filepath.Join(notes, "agents.db"), notes + " is not a folder (unable to open database file (14))"},
	} {
		b := open(t, tt.path)
		want := "database unavailable: " + tt.want
		req := request("t", "{}")
		info, err := b.Save(t.Context(), req)
		if fmt.Sprint(err) != want || !errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("%s: Save: %v, want %s", tt.path, err, want)
		}
		if info.Key != req.Key || info.ID != req.ID {
			t.Errorf("%s: Save returned %v, want its key and id", tt.path, info)
		}
	}
	if got, want := files(t, dir), "notes.txt -rw-------"; got != want {
		t.Errorf("the folder holds %s, want %s", got, want)
	}

	// What was missing can be made, and the same handle goes on.
	b := open(t, filepath.Join(dir, "later", "agents.db"))
	if err := b.Ping(t.Context()); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Ping: %v, want %v", err, driver.ErrUnavailable)
	}
	if err := os.Mkdir(filepath.Join(dir, "later"), 0o700); err != nil {
		t.Fatal(err)
	}
	save(t, b, request("t", "{}"))
}

// TestOthersFiles opens databases that hold something else already.
func TestOthersFiles(t *testing.T) {
	t.Parallel()
	const foreign = `invalid table name: FILE has a table "agent_checkpoints" that was not made by this driver: choose another name with table_name`
	for _, tt := range []struct {
		name, script, want string
	}{
		{"another's table", `CREATE TABLE agent_checkpoints (thread_id TEXT)`, foreign},
		{"in capitals", `CREATE TABLE AGENT_CHECKPOINTS (thread_id TEXT)`, foreign},
		{"a view", `CREATE VIEW agent_checkpoints AS SELECT 1`, foreign},
		{"an index", `CREATE TABLE x (a); CREATE INDEX agent_checkpoints ON x (a)`, foreign},
		{"only the second table", `CREATE TABLE agent_checkpoints_schema (version INTEGER)`, foreign},
		{"both, another's", `CREATE TABLE agent_checkpoints (a); CREATE TABLE agent_checkpoints_schema (b)`, foreign},
		{"both, without a version", `CREATE TABLE agent_checkpoints (a); CREATE TABLE agent_checkpoints_schema (version)`, foreign},
		{"a newer release's", `CREATE TABLE agent_checkpoints (a); CREATE TABLE agent_checkpoints_schema (version); INSERT INTO agent_checkpoints_schema VALUES (2)`,
			`invalid database: table "agent_checkpoints" in FILE has schema version 2 and this program knows versions up to 1: it was written by a newer release, which is needed to open it`},
		{"a damaged version", `CREATE TABLE agent_checkpoints (a); CREATE TABLE agent_checkpoints_schema (version); INSERT INTO agent_checkpoints_schema VALUES ('secret')`,
			`stored state is damaged or does not fit: the version of the schema of table "agent_checkpoints" in FILE is not a number`},
		{"UTF-16", `PRAGMA encoding = 'UTF-16'; CREATE TABLE x (a)`,
			`invalid database: FILE keeps text as UTF-16le, in which names do not sort by their bytes: name another file`},
	} {
		file := filepath.Join(t.TempDir(), "app.db")
		db := given(t, "file:"+file, 1)
		if _, err := db.Exec(tt.script); err != nil {
			t.Fatal(err)
		}
		db.Close()
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b := open(t, file)
		_, err = b.Save(t.Context(), request("t", "{}"))
		if got := strings.ReplaceAll(fmt.Sprint(err), file, "FILE"); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		b.Close()
		if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: the file was changed (error %v)", tt.name, err)
		}
		if got := files(t, filepath.Dir(file)); strings.Contains(got, ",") {
			t.Errorf("%s: the folder holds %s, want the one file", tt.name, got)
		}
	}
}

// TestBesideOthers keeps checkpoints in the file of an application, under two
// names.
func TestBesideOthers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "app.db")
	db := given(t, "file:"+file, 1)
	if _, err := db.Exec(`PRAGMA user_version = 77; PRAGMA application_id = 88; CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('ann')`); err != nil {
		t.Fatal(err)
	}
	one, two := open(t, file), open(t, file+"?table_name=Other")
	save(t, one, request("t", "1"))
	save(t, two, request("t", "2"))
	if got := load(t, one, "t") + load(t, two, "t"); got != "12" {
		t.Errorf("loaded %s, want 12", got)
	}
	if err := one.Delete(t.Context(), driver.DeleteRequest{Key: key("t")}); err != nil {
		t.Fatal(err)
	}
	if got := load(t, two, "t"); got != "2" {
		t.Errorf("after a deletion in the other table loaded %s, want 2", got)
	}
	var name string
	var version, application int
	if err := db.QueryRow(`SELECT name, user_version, application_id FROM users, pragma_user_version, pragma_application_id`).Scan(&name, &version, &application); err != nil {
		t.Fatal(err)
	}
	if name != "ann" || version != 77 || application != 88 {
		t.Errorf("the application's own: %s, %d, %d; want ann, 77, 88", name, version, application)
	}
}

// TestDamage damages rows as no program should, and looks that what is wrong
// is reported, without what is stored, and that other threads stay as they are.
func TestDamage(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	b := open(t, file)
	save(t, b, request("good", "{}"))
	db := given(t, "file:"+file+"?_pragma=busy_timeout(5000)", 1)
	const damaged = "stored state is damaged or does not fit: "
	for _, tt := range []struct {
		column, value string
		load, save    string // the errors
	}{
		{"state", "'secret'", damaged + `version 1 of thread "bad" has 6 bytes and should have 2`, ""},
		{"state", `'{"step": 2}'`, damaged + `version 1 of thread "bad" has 11 bytes and should have 2; it was edited in the file by hand: take that back, set the column size to the bytes of the state, or remove the row, and edit states with checkpoint edit`, ""},
		{"state", "x''", damaged + `version 1 of thread "bad" has 0 bytes and should have 2`, ""},
		{"metadata", "'secret'", damaged + `its metadata is not a JSON object of strings`, ""},
		{"size", "'secret'", damaged + `a column that should hold an integer holds a string`, ""},
		{"created_at", "'secret'", damaged + `a column that should hold a time holds a string`, damaged + `the latest row of thread "bad" holds values of other types`},
		{"version", "'secret'", damaged + `a column that should hold an integer holds a string`, damaged + `the latest row of thread "bad" holds values of other types`},
		{"id", "x'00'", "", damaged + `the latest row of thread "bad" holds values of other types`},
	} {
		save(t, b, request("bad", "{}"))
		if _, err := db.Exec(`UPDATE agent_checkpoints SET ` + tt.column + ` = ` + tt.value + ` WHERE thread_id = 'bad'`); err != nil {
			t.Fatal(err)
		}
		_, err := b.Load(t.Context(), driver.LoadRequest{Key: key("bad"), Now: now})
		checkDamage(t, tt.column+" = "+tt.value+": Load", err, tt.load)
		_, err = b.Save(t.Context(), request("bad", "{}"))
		checkDamage(t, tt.column+" = "+tt.value+": Save", err, tt.save)
		if got := load(t, b, "good"); got != "{}" {
			t.Errorf("the other thread: %s, want {}", got)
		}
		if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key("bad")}); err != nil {
			t.Errorf("%s: Delete: %v", tt.column, err)
		}
	}
}

func checkDamage(t *testing.T, call string, err error, want string) {
	t.Helper()
	if err == nil && want == "" {
		return
	}
	if err == nil || !strings.HasSuffix(err.Error(), want) || !errors.Is(err, driver.ErrCorrupt) {
		t.Errorf("%s: %v, want %s", call, err, want)
	}
	if strings.Contains(fmt.Sprint(err), "secret") {
		t.Errorf("%s: the error shows what is stored: %v", call, err)
	}
}

// TestDamagedFile overwrites pages of the file.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	b := open(t, file)
	for i := range 100 {
		save(t, b, request(fmt.Sprint("thread-", i), `"`+strings.Repeat("x", 5000)+`"`))
	}
	b.Close()
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bytes.Repeat([]byte("garbage "), 20*4096/8), 4*4096); err != nil {
		t.Fatal(err)
	}
	f.Close()
	b = open(t, file)
	damaged := 0
	for i := range 100 {
		if _, err := b.Load(t.Context(), driver.LoadRequest{Key: key(fmt.Sprint("thread-", i)), Now: now}); err != nil {
			damaged++
			if !errors.Is(err, driver.ErrCorrupt) {
				t.Fatalf("Load: %v, want %v", err, driver.ErrCorrupt)
			}
			want := file + " is damaged: restore a backup, or save what can be read with the command .recover of the sqlite3 shell"
			if !strings.Contains(err.Error(), want) {
				t.Fatalf("Load: %v, want %s", err, want)
			}
		}
	}
	if damaged == 0 {
		t.Error("every thread could be loaded, want an error from some")
	}
}

// TestDroppedTables takes the tables away while the store is open.
func TestDroppedTables(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	b := open(t, file)
	save(t, b, request("t", "{}"))
	db := given(t, "file:"+file+"?_pragma=busy_timeout(5000)", 1)
	if _, err := db.Exec(`DROP TABLE agent_checkpoints; DROP TABLE agent_checkpoints_schema`); err != nil {
		t.Fatal(err)
	}
	_, err := b.Load(t.Context(), driver.LoadRequest{Key: key("t"), Now: now})
	if want := "database unavailable: " + file + " (SQL logic error: no such table: agent_checkpoints (1))"; fmt.Sprint(err) != want {
		t.Errorf("Load: %v, want %s", err, want)
	}
	if err := b.Ping(t.Context()); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Ping: %v, want %v", err, driver.ErrUnavailable)
	}
}

// TestGivenDBStaysOpen closes a backend on a pool of the caller's.
func TestGivenDBStaysOpen(t *testing.T) {
	t.Parallel()
	db := given(t, ":memory:", 1)
	b := newGiven(t, db)
	save(t, b, request("t", "{}"))
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM agent_checkpoints`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v; want 1", n, err)
	}
	b = newGiven(t, db)
	db.Close()
	_, err := b.Save(t.Context(), request("t", "{}"))
	if want := "database unavailable: the database (sql: database is closed)"; fmt.Sprint(err) != want || !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Save on a pool that was closed: %v, want %s", err, want)
	}
}

// TestMemoryIsPrivate has two handles on databases in memory.
func TestMemoryIsPrivate(t *testing.T) {
	t.Parallel()
	one, two := open(t, ":memory:"), open(t, ":memory:")
	save(t, one, request("t", "1"))
	if _, err := two.Load(t.Context(), driver.LoadRequest{Key: key("t"), Now: now}); err != driver.ErrNotFound {
		t.Errorf("the other's thread: %v, want %v", err, driver.ErrNotFound)
	}
	ctx, cancel := cancelled(t)
	defer cancel()
	for range 100 { // a connection that is given up would take the database with it
		_, _ = one.Save(ctx(), request("t", "2"))
		_, _ = one.Load(ctx(), driver.LoadRequest{Key: key("t"), Now: now})
	}
	load(t, one, "t")
}

// TestColumns reads a row as a person would, with the sqlite3 shell.
func TestColumns(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	b := open(t, file)
	req := request("ünï", `{"step":[7]}`)
	req.Metadata = map[string]string{"model": "large"}
	save(t, b, req)
	req = request("bytes", "\x00\xff")
	req.Encoding, req.ExpiresAt = "bytes", now
	save(t, b, req)
	db := given(t, "file:"+file+"?_pragma=busy_timeout(5000)", 1)
	rows, err := db.Query(`SELECT thread_id || ' ' || version || ' ' || encoding || ' ' || size || ' ' || typeof(state) || ' ' ||
		coalesce(iif(encoding = 'json', state ->> '$.step[0]', hex(state)), '-') || ' ' || coalesce(metadata ->> '$.model', '-') || ' ' || saved_at || ' ' || coalesce(expires_at, '-')
		FROM agent_checkpoints WHERE latest = 1 ORDER BY thread_id`)
	if err != nil {
		t.Fatal(err)
	}
	got := column(t, rows)
	at := fmt.Sprint(now.UnixMicro())
	if want := "bytes 1 bytes 2 blob 00FF - " + at + " " + at + "\nünï 1 json 12 text 7 large " + at + " -"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// column joins the values of the only column.
func column(t testing.TB, rows *sql.Rows) string {
	t.Helper()
	defer rows.Close()
	var values []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(values, "\n")
}

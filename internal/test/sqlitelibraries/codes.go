// Package sqlitelibraries runs the SQLite driver over pools of other SQLite libraries,
// which a module of their own keeps out of the go.sum of this one. Each has a folder,
// since both register the name sqlite3.
package sqlitelibraries

import (
	"crypto/rand"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
)

// A Library is how to open a file with one of them.
type Library struct {
	Words    string // in the DSN: WAL mode, immediate transactions, no waiting for locks
	ReadOnly string // words for a file that can only be read
}

// Open returns a pool of the library, which the end of the test closes.
func (l Library) Open(t testing.TB, file, words string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+file+"?"+words)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func request(thread, payload string) driver.SaveRequest {
	return driver.SaveRequest{
		Key: driver.Key{Namespace: "agents", Thread: thread}, ID: rand.Text(), Payload: []byte(payload), Encoding: "bytes", Now: time.Now(), Keep: 1,
	}
}

// Codes makes the library fail in each of the ways that the driver tells apart.
func (l Library) Codes(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "agents.db")
	db := l.Open(t, file, l.Words)
	db.SetMaxOpenConns(1)
	b := sqlite.New(db, sqlite.Config{BusyTimeout: time.Millisecond})
	if _, err := b.Save(t.Context(), request("t", "state")); err != nil {
		t.Fatal(err)
	}
	check := func(what string, err, is error, text string) {
		t.Helper()
		if !errors.Is(err, is) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %v with %q", what, err, is, text)
		}
	}

	text := filepath.Join(folder, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	noDatabase := sqlite.New(l.Open(t, text, l.Words), sqlite.Config{})
	check("no database", noDatabase.Ping(t.Context()), driver.ErrCorrupt, "is not an SQLite database")

	_, err := sqlite.New(l.Open(t, file, l.ReadOnly), sqlite.Config{}).Save(t.Context(), request("t", "state"))
	check("read-only", err, driver.ErrUnavailable, "cannot be written")

	other := l.Open(t, file, l.Words)
	lock, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec("DELETE FROM agent_checkpoints WHERE 0"); err != nil {
		t.Fatal(err)
	}
	_, err = b.Save(t.Context(), request("t", "state"))
	check("busy", err, driver.ErrUnavailable, "somebody else holds the lock")
	patient := sqlite.New(db, sqlite.Config{BusyTimeout: time.Minute})
	saved := make(chan error, 1)
	go func() {
		_, err := patient.Save(t.Context(), request("t", "patient"))
		saved <- err
	}()
	for db.Stats().InUse == 0 { // until it has begun
		time.Sleep(time.Millisecond)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-saved; err != nil {
		t.Errorf("a save that waits for the lock: %v", err)
	}

	if _, err := db.Exec("PRAGMA max_page_count = 20"); err != nil {
		t.Fatal(err)
	}
	_, err = b.Save(t.Context(), request("full", strings.Repeat("x", 1<<20)))
	check("full", err, driver.ErrUnavailable, "no space is left")
	if cp, err := b.Load(t.Context(), driver.LoadRequest{Key: request("t", "").Key, Now: time.Now()}); err != nil || string(cp.Payload) != "patient" {
		t.Errorf("Load after all = %q, %v", cp.Payload, err)
	}
}

package sqlite_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
)

var now = time.Now().UTC().Truncate(time.Microsecond)

func key(thread string) driver.Key { return driver.Key{Namespace: "agents", Thread: thread} }

// request is a save of one version.
func request(thread, state string) driver.SaveRequest {
	return driver.SaveRequest{Key: key(thread), ID: rand.Text(), Payload: []byte(state), Encoding: "json", Now: now, Keep: 1}
}

// newGiven is a backend on a pool of the caller's.
func newGiven(t testing.TB, db *sql.DB) driver.Backend {
	t.Helper()
	b := sqlite.New(db, sqlite.Config{})
	t.Cleanup(func() { b.Close() })
	return b
}

func save(t testing.TB, b driver.Backend, req driver.SaveRequest) driver.Info {
	t.Helper()
	info, err := b.Save(context.WithoutCancel(t.Context()), req)
	if err != nil {
		t.Fatalf("Save(%v): %v", req, err)
	}
	return info
}

func load(t testing.TB, b driver.Backend, thread string) string {
	t.Helper()
	c, err := b.Load(context.WithoutCancel(t.Context()), driver.LoadRequest{Key: key(thread), Now: now})
	if err != nil {
		t.Fatalf("Load(%q): %v", thread, err)
	}
	return string(c.Payload)
}

// cancelled returns contexts that end at once or a little later.
func cancelled(t testing.TB) (next func() context.Context, cancel context.CancelFunc) {
	t.Helper()
	n := 0
	var cancels []context.CancelFunc
	return func() context.Context {
			n++
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n%20)*5*time.Microsecond)
			cancels = append(cancels, cancel)
			return ctx
		}, func() {
			for _, cancel := range cancels {
				cancel()
			}
		}
}

// checkIntegrity has SQLite look over the file.
func checkIntegrity(t testing.TB, file string) {
	t.Helper()
	db := given(t, "file:"+file+"?_pragma=busy_timeout(5000)", 1)
	defer db.Close()
	rows, err := db.Query(`PRAGMA integrity_check`)
	if err != nil {
		t.Fatal(err)
	}
	if got := column(t, rows); got != "ok" {
		t.Errorf("integrity_check: %s", got)
	}
}

// latest returns the Info of a thread's latest version, the zero Info if there
// is none.
func latest(ctx context.Context, b driver.Backend, thread string) (driver.Info, bool, error) {
	for info, err := range b.History(ctx, driver.HistoryRequest{Key: key(thread), Limit: 1, Now: now}) {
		return info, err == nil, err
	}
	return driver.Info{}, false, nil
}

func open(t testing.TB, dsn string) driver.Backend {
	t.Helper()
	b, err := sqlite.Driver{}.Open(dsn)
	if err != nil {
		t.Fatalf("Open(%q): %v", dsn, err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// given opens a pool as an application would.
func given(t testing.TB, dsn string, connections int) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(connections)
	return db
}

package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
)

// everything is every optional interface that there is.
var everything = checkpointtest.RequireAll()

func open(t testing.TB, dsn string) driver.Backend {
	t.Helper()
	b, err := sqlite.Driver{}.Open(dsn)
	if err != nil {
		t.Fatalf("Open(%q): %v", dsn, err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// The suites do not run beside other tests: they count goroutines.

func TestConformance(t *testing.T) {
	file := filepath.Join(t.TempDir(), "agents.db")
	stored := checkpointtest.StoredPayloads(payloads(given(t, file, 1)), 0)
	dsn := file
	if testing.Short() {
		dsn += "?synchronous=normal" // thousands of commits that wait for no disk
	}
	checkpointtest.Run(t, func(t testing.TB) driver.Backend { return open(t, dsn) }, everything, stored)
}

// TestConformanceOfGivenDB runs the suite on a pool that the caller has opened,
// in memory: one connection, which is the database. The DSN ":memory:" makes
// one that a second handle could not share.
func TestConformanceOfGivenDB(t *testing.T) {
	db := given(t, "file::memory:?_txlock=immediate", 1)
	stored := checkpointtest.StoredPayloads(payloads(db), 0)
	checkpointtest.Run(t, func(t testing.TB) driver.Backend { return sqlite.New(db, sqlite.Config{}) }, everything, stored)
}

// TestConformanceIncremental runs the cases about stores again, with patches wherever
// a state is large enough.
func TestConformanceIncremental(t *testing.T) {
	file := filepath.Join(t.TempDir(), "agents.db?synchronous=normal")
	checkpointtest.Run(t, func(t testing.TB) driver.Backend { return open(t, file) }, everything, checkpointtest.Options(checkpoint.WithIncremental()),
		checkpointtest.Cases(func(name string) bool { return strings.HasPrefix(name, "Store/") }))
}

// TestConformanceOfGivenFile is the long form: a pool on a file, opened as the
// documentation of New says, but for the durability, which takes its time.
func TestConformanceOfGivenFile(t *testing.T) {
	if os.Getenv("CHECKPOINT_TEST_LONG") != "1" {
		t.Skip("a minute longer with CHECKPOINT_TEST_LONG=1")
	}
	file := filepath.Join(t.TempDir(), "agents.db")
	db := given(t, "file:"+file+"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)", 4)
	checkpointtest.Run(t, func(t testing.TB) driver.Backend {
		return sqlite.New(db, sqlite.Config{TableName: "given"})
	}, everything)
}

// payloads counts the values with a mark in every column of every table.
func payloads(db *sql.DB) func(context.Context, string) (int, error) {
	return func(ctx context.Context, mark string) (n int, err error) {
		columns, err := texts(ctx, db, `
			SELECT format('SELECT count(*) FROM "%w" WHERE instr(CAST("%w" AS BLOB), CAST(?1 AS BLOB))', t.name, c.name)
			FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'`)
		for _, statement := range columns {
			var found int
			err = errors.Join(err, db.QueryRowContext(ctx, statement, mark).Scan(&found))
			n += found
		}
		return n, err
	}
}

// texts returns a statement's only column.
func texts(ctx context.Context, db *sql.DB, statement string) (all []string, err error) {
	rows, err := db.QueryContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, rows.Err()
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

func BenchmarkSuite(b *testing.B) {
	file := filepath.Join(b.TempDir(), "agents.db")
	checkpointtest.Benchmark(b, func(b testing.TB) driver.Backend { return open(b, file) })
}

package bench

import (
	"database/sql"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/postgres"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
	"github.com/go-ckpt/checkpoint/internal/testserver"
)

// subjects open what is measured.
var subjects = []func(*testing.T) *subject{openSQLite, openPostgres}

var allSizes = []int{2 << 10, 100 << 10, 1 << 20}

func openBackend(t *testing.T, d driver.Driver, dsn string) driver.Backend {
	t.Helper()
	b, err := d.Open(dsn)
	require(t, err)
	t.Cleanup(func() { b.Close() })
	return b
}

func openSQLite(t *testing.T) *subject {
	const pragmas = "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"
	path := filepath.Join(t.TempDir(), "floor.db")
	// One connection writes, as in the driver: SQLite has one writer anyway.
	write := openSQL(t, "sqlite", "file:"+path+pragmas)
	write.SetMaxOpenConns(1)
	read := openSQL(t, "sqlite", "file:"+path+pragmas)
	f, err := newSQLFloor(t.Context(), write, read,
		"CREATE TABLE floor (thread TEXT PRIMARY KEY, state TEXT NOT NULL)",
		"INSERT INTO floor VALUES (?, ?) ON CONFLICT (thread) DO UPDATE SET state = excluded.state",
		"SELECT state FROM floor WHERE thread = ?", true)
	require(t, err)
	var version string
	require(t, read.QueryRowContext(t.Context(), "SELECT sqlite_version()").Scan(&version))
	var mode, synchronous string
	require(t, write.QueryRowContext(t.Context(), "SELECT journal_mode, synchronous FROM pragma_journal_mode, pragma_synchronous").Scan(&mode, &synchronous))
	if mode != "wal" || synchronous != "2" {
		t.Fatalf("the floor has journal_mode %s and synchronous %s, want wal and 2", mode, synchronous)
	}
	return &subject{
		name:     "SQLite",
		versions: "SQLite " + version + ", WAL, synchronous=FULL, " + module("modernc.org/sqlite"),
		backend:  openBackend(t, sqlite.Driver{}, filepath.Join(t.TempDir(), "bench.db")),
		floor:    f,
		sizes:    allSizes,
	}
}

func openSQL(t *testing.T, driverName, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driverName, dsn)
	require(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func openPostgres(t *testing.T) *subject {
	url := testserver.Postgres(t)
	// Binary parameters make one round trip of a prepared statement with raw bytes.
	separator := "?"
	if strings.Contains(url, "?") {
		separator = "&"
	}
	db := openSQL(t, "postgres", url+separator+"binary_parameters=yes")
	db.SetMaxIdleConns(10)
	f, err := newSQLFloor(t.Context(), db, db,
		"CREATE TABLE floor (thread TEXT PRIMARY KEY, state JSONB NOT NULL)",
		"INSERT INTO floor VALUES ($1, $2) ON CONFLICT (thread) DO UPDATE SET state = excluded.state",
		"SELECT state FROM floor WHERE thread = $1", true)
	require(t, err)
	// The driver asks for the same where the server has it.
	if _, err := db.ExecContext(t.Context(), "ALTER TABLE floor ALTER COLUMN state SET COMPRESSION lz4"); err != nil {
		t.Logf("the floor's states are compressed as the server does by default: %v", err)
	}
	var version string
	require(t, db.QueryRowContext(t.Context(), "SHOW server_version").Scan(&version))
	return &subject{
		name:     "PostgreSQL",
		versions: "PostgreSQL " + version + ", " + module("github.com/lib/pq"),
		backend:  openBackend(t, postgres.Driver{}, url),
		floor:    f,
		sizes:    allSizes,
	}
}

// module names a module of this program with its version.
func module(path string) string {
	name := path[strings.LastIndex(strings.TrimSuffix(path, "/v9"), "/")+1:]
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return name + " " + m.Version
			}
		}
	}
	return name
}

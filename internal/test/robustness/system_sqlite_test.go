package robustness

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
)

func startSQLite(t testing.TB) *deployment {
	path := filepath.Join(t.TempDir(), "agents.db")
	return &deployment{
		driver: "sqlite",
		dsn:    path,
		fresh:  func(t testing.TB) string { return filepath.Join(t.TempDir(), "fresh.db") },
		stored: func(t testing.TB) int {
			return countRows(t, "sqlite", path, "SELECT (SELECT count(*) FROM agent_checkpoints) + (SELECT count(*) FROM agent_checkpoints_chains)")
		},
		damage: damageSQL("sqlite", path, map[string][]string{
			"agent_checkpoints":        {"key", "version", "latest", "id", "encoding", "size", "metadata", "created_at", "saved_at", "expires_at", "state"},
			"agent_checkpoints_chains": {"version", "id", "base", "encoding", "digest", "payload"},
		}),
		faults: []fault{{name: "locked by another", strike: func(ctx context.Context, r *rand.Rand, _ string) {
			db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(5000)")
			if err != nil {
				return
			}
			defer db.Close()
			for range 3 {
				tx, err := db.Begin()
				if err != nil {
					continue
				}
				pause(ctx, r, 100*time.Millisecond)
				tx.Rollback()
				db.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
			}
		}}},
	}
}

// countRows counts what is stored by a query of one number.
func countRows(t testing.TB, sqlDriver, dsn, query string) int {
	t.Helper()
	db, err := sql.Open(sqlDriver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

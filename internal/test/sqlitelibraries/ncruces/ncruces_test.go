// Package ncruces runs the SQLite driver over github.com/ncruces/go-sqlite3.
package ncruces

import (
	"path/filepath"
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
	"github.com/go-ckpt/checkpoint/internal/test/sqlitelibraries"
)

var library = sqlitelibraries.Library{
	Words:    "_txlock=immediate&_pragma=journal_mode(wal)&_pragma=busy_timeout(0)",
	ReadOnly: "mode=ro",
}

func TestCodes(t *testing.T) { library.Codes(t) }

func TestBeside(t *testing.T) { library.Beside(t) }

// TestConformance runs the whole suite.
func TestConformance(t *testing.T) {
	file := filepath.Join(t.TempDir(), "agents.db")
	checkpointtest.Run(t, func(t testing.TB) driver.Backend {
		return sqlite.New(library.Open(t, file, "_txlock=immediate&_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)&_pragma=synchronous(normal)"), sqlite.Config{})
	})
}

// Package mattn runs the SQLite driver over github.com/mattn/go-sqlite3, which needs a
// C compiler.
package mattn

import (
	"testing"

	_ "github.com/mattn/go-sqlite3"

	"github.com/go-ckpt/checkpoint/internal/test/sqlitelibraries"
)

var library = sqlitelibraries.Library{
	Words:    "_txlock=immediate&_journal_mode=wal&_busy_timeout=0",
	ReadOnly: "mode=ro",
}

func TestCodes(t *testing.T) { library.Codes(t) }

func TestBeside(t *testing.T) { library.Beside(t) }

package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
)

func TestOpen(t *testing.T) {
	checkpointtest.RunDriver(t, sqlite.Driver{}, checkpointtest.DSNs{
		Names:   []string{"sqlite"},
		Valid:   []string{"agents.db", "sqlite:agents.db", "file:agents.db", ":memory:", "sqlite:a%20b.db?busy_timeout=3s"},
		Invalid: []string{"", "sqlite:", "agents.db?synchronous=off", "agents.db?busy_timeout=3"},
		Words:   []string{"table_name=states", "synchronous=normal", "busy_timeout=2s"},
		File:    func(folder string) string { return "sqlite:" + filepath.Join(folder, "agents.db") },
	})
}

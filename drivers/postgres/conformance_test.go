package postgres

import (
	"testing"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/testserver"
)

// open returns a handle on a database.
func open(t testing.TB, dsn string) *backend {
	t.Helper()
	b, err := Driver{}.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b.(*backend)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	checkpointtest.Run(t, func(t testing.TB) driver.Backend { return open(t, dsn) },
		checkpointtest.Require("Purger", "Importer", "NamespaceLister", "Rewriter"))
}

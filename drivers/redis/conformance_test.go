package redis

import (
	"testing"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// openDSN returns a handle on a database.
func openDSN(t testing.TB, dsn string) *backend {
	t.Helper()
	b, err := Driver{}.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b.(*backend)
}

var optional = checkpointtest.Require("Purger", "Importer", "NamespaceLister", "Rewriter")

func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("Single", func(t *testing.T) {
		t.Parallel()
		dsn := testserver.Redis(t)
		checkpointtest.Run(t, func(t testing.TB) driver.Backend { return openDSN(t, dsn) }, optional)
	})
}

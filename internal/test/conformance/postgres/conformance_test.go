package postgres_test

import (
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/postgres"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func open(t testing.TB, dsn string) driver.Backend {
	t.Helper()
	b, err := postgres.Driver{}.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

var all = checkpointtest.RequireAll()

// TestConformance runs the suite in a database that orders text as an English
// dictionary does, so that an order or a prefix that depends on it shows. It is
// not parallel: the suite counts goroutines.
func TestConformance(t *testing.T) {
	dsn := testserver.PostgresInEnglish(t)
	checkpointtest.Run(t, func(t testing.TB) driver.Backend { return open(t, dsn) }, all,
		checkpointtest.Unreachable(func(t testing.TB) driver.Backend { return open(t, "postgres://user:pass@127.0.0.1:1/db") }))
}

// TestConformanceBehindPgBouncer runs the suite through a pooler in transaction
// mode, with fewer connections to the server than there are to the pooler.
func TestConformanceBehindPgBouncer(t *testing.T) {
	bouncer := testserver.PgBouncer(t, testserver.Postgres(t), "default_pool_size = 5")
	checkpointtest.Run(t, func(t testing.TB) driver.Backend { return open(t, bouncer.URL) }, all)
}

// TestConformanceIncremental runs the cases about stores again, with patches wherever
// a state is large enough.
func TestConformanceIncremental(t *testing.T) {
	dsn := testserver.Postgres(t)
	checkpointtest.Run(t, func(t testing.TB) driver.Backend { return open(t, dsn) }, all, checkpointtest.Options(checkpoint.WithIncremental()),
		checkpointtest.Cases(func(name string) bool { return strings.HasPrefix(name, "Store/") }))
}

package postgres_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/postgres"
	"github.com/go-ckpt/checkpoint/internal/test/conformance"
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
		checkpointtest.StoredPayloads(payloads(t, dsn), 0),
		checkpointtest.Unreachable(func(t testing.TB) driver.Backend { return open(t, "postgres://user:pass@127.0.0.1:1/db") }))
}

// payloads counts the values with a mark in every column of every table.
func payloads(t *testing.T, dsn string) func(context.Context, string) (int, error) {
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	statement := sync.OnceValues(func() (text string, err error) { // the tables are made by then
		err = db.QueryRowContext(t.Context(), `
			SELECT string_agg(format('SELECT count(*) FROM %I.%I WHERE position($1 IN %s) > 0', table_schema, table_name,
				CASE data_type WHEN 'bytea' THEN format('encode(%I, ''escape'')', column_name) ELSE format('%I::text', column_name) END),
				' UNION ALL ')
			FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
			WHERE table_type = 'BASE TABLE' AND data_type IN ('bytea', 'jsonb', 'text') AND table_schema NOT IN ('pg_catalog', 'information_schema')`).Scan(&text)
		return "SELECT sum(count) FROM (" + text + ") AS counts", err
	})
	return func(ctx context.Context, mark string) (n int, err error) {
		sum, err := statement()
		if err != nil {
			return 0, err
		}
		err = db.QueryRowContext(ctx, sum, mark).Scan(&n)
		return n, err
	}
}

// TestConformanceBehindPgBouncer runs the suite through a pooler in transaction
// mode, with fewer connections to the server than there are to the pooler.
func TestConformanceBehindPgBouncer(t *testing.T) {
	bouncer := testserver.PgBouncer(t, testserver.Postgres(t), "default_pool_size = 5")
	checkpointtest.Run(t, func(t testing.TB) driver.Backend { return open(t, bouncer.URL) }, all, conformance.Clients())
}

// TestConformanceIncremental runs the cases about stores again, with patches wherever
// a state is large enough.
func TestConformanceIncremental(t *testing.T) {
	dsn := testserver.Postgres(t)
	checkpointtest.Run(t, func(t testing.TB) driver.Backend { return open(t, dsn) }, all, checkpointtest.Options(checkpoint.WithIncremental()),
		checkpointtest.Cases(func(name string) bool { return strings.HasPrefix(name, "Store/") }))
}

// Package pgx runs the PostgreSQL driver on pgx's driver for database/sql,
// through postgres.New. It is a package of its own so that programs that use the
// PostgreSQL driver do not have pgx in their go.sum.
package pgx

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/postgres"
	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func openDB(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxIdleConns(10)
	t.Cleanup(func() { db.Close() })
	return db
}

// TestConformance runs the suite on one pool, which outlives the backends on it.
func TestConformance(t *testing.T) {
	db := openDB(t, testserver.Postgres(t))
	checkpointtest.Run(t, func(testing.TB) driver.Backend { return postgres.New(db, postgres.Config{}) },
		checkpointtest.Require("Purger", "Importer", "NamespaceLister", "Rewriter"))
}

// behind returns a proxy in front of a database and the DSN that goes through
// it.
func behind(t testing.TB, dsn string) (*faultproxy.Proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p := faultproxy.New(t, u.Host)
	u.Host = p.Addr()
	return p, u.String()
}

// TestRoundTrips: pgx prepares statements by itself, and so a save or a load is
// one round trip.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	proxy, dsn := behind(t, testserver.Postgres(t))
	db := openDB(t, dsn)
	db.SetMaxOpenConns(1)
	s := checkpoint.New(postgres.New(db, postgres.Config{}), checkpoint.WithHistory(3))
	for i := range 3 {
		for name, op := range map[string]func() error{
			"save": func() error { _, err := s.Save(t.Context(), "thread", i); return err },
			"load": func() error { _, err := s.Load(t.Context(), "thread", new(int)); return err },
		} {
			before := proxy.Counts()
			if err := op(); err != nil {
				if errors.Is(err, checkpoint.ErrNotFound) {
					continue
				}
				t.Fatal(err)
			}
			if got := proxy.Counts().Sub(before).RoundTrips; i > 0 && got != 1 {
				t.Errorf("%s: %d round trips, want 1", name, got)
			}
		}
	}
}

// TestLostReply: a save whose reply was lost is one save, and a connection that
// the server has ended is no error of the next load.
func TestLostReply(t *testing.T) {
	t.Parallel()
	proxy, dsn := behind(t, testserver.Postgres(t))
	s := checkpoint.New(postgres.New(openDB(t, dsn), postgres.Config{}))
	for version := int64(1); version <= 3; version++ {
		if version > 1 {
			proxy.DropReplyMatching(1, func(request []byte) bool { return strings.Contains(string(request), `{"n":`) })
		}
		info, err := s.Save(t.Context(), "thread", map[string]int64{"n": version})
		if err != nil || info.Version != version {
			t.Errorf("Save: version %d, %v, want %d", info.Version, err, version)
		}
		proxy.Heal()
	}
	proxy.Cut()
	if _, err := s.Load(t.Context(), "thread", new(any)); err != nil {
		t.Errorf("Load after the connections were cut: %v", err)
	}
}

// TestErrors: pgx's errors are understood by their SQLSTATE, and a context that
// ends is found in what comes of it.
func TestErrors(t *testing.T) {
	t.Parallel()
	proxy, dsn := behind(t, testserver.Postgres(t))
	wrong, _ := url.Parse(dsn)
	wrong.User = url.UserPassword("postgres", "wr0ng")
	err := checkpoint.New(postgres.New(openDB(t, wrong.String()), postgres.Config{})).Ping(t.Context())
	if !errors.Is(err, checkpoint.ErrUnavailable) || !strings.Contains(err.Error(), "refuses this account") || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("wrong password: got %v, want ErrUnavailable", err)
	}

	db := openDB(t, dsn)
	s := checkpoint.New(postgres.New(db, postgres.Config{}), checkpoint.WithHistory(2))
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("ALTER DATABASE " + strings.TrimPrefix(wrong.Path, "/") + " SET default_transaction_isolation = serializable"); err != nil {
		t.Fatal(err)
	}
	var savers sync.WaitGroup
	for range 8 {
		savers.Go(func() { // serialization failures are retried
			if _, err := checkpoint.Update(t.Context(), s, "counter", func(n *int) error { *n++; return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	savers.Wait()
	if n, _, err := checkpoint.Get[int](t.Context(), s, "counter"); n != 8 || err != nil {
		t.Errorf("counted %d, %v, want 8", n, err)
	}

	proxy.BlackHole(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Save(ctx, "thread", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("in a black hole: got %v, want context.DeadlineExceeded", err)
	}
}

package proof

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/lib/pq"

	_ "github.com/go-ckpt/checkpoint/drivers/postgres"
	"github.com/go-ckpt/checkpoint/internal/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/testserver"
)

func startPostgres(t testing.TB) *deployment {
	server := testserver.StartPostgres(t, testserver.PostgresOptions{})
	proxy := faultproxy.New(t, server.Addr)
	d := postgresDeployment(server.URL, through(t, server.URL, proxy.Addr()))
	d.faults = append(d.faults, networkFaults(proxy)...)
	d.faults = append(d.faults, serverFaults(server)...)
	return d
}

// startPgBouncer is a PostgreSQL server behind a pooler in transaction mode. Its
// sessions are not terminated one by one: PgBouncer 1.18 ends with "server in bad
// state: 11" when that meets a cancelled query.
func startPgBouncer(t testing.TB) *deployment {
	server := testserver.StartPostgres(t, testserver.PostgresOptions{})
	bouncer := testserver.PgBouncer(t, server.URL, "server_login_retry = 1")
	d := postgresDeployment(server.URL, withWord(t, bouncer.URL, "prepare", "false"))
	d.faults = append(serverFaults(server), fault{name: "pooler killed", strike: func(ctx context.Context, r *rand.Rand, _ string) {
		bouncer.Kill()
		pause(ctx, r, 200*time.Millisecond)
		bouncer.Restart()
	}})
	return d
}

// postgresDeployment is a server with a direct URL, which applications reach by
// a DSN.
func postgresDeployment(direct, dsn string) *deployment {
	var tables atomic.Int64
	return &deployment{
		driver: "postgres",
		dsn:    dsn,
		fresh: func(t testing.TB) string {
			return withWord(t, dsn, "table_name", fmt.Sprintf("fresh_%d", tables.Add(1)))
		},
		stored: func(t testing.TB) int {
			return countRows(t, "postgres", direct, `SELECT (SELECT count(*) FROM agent_checkpoints) + (SELECT count(*) FROM agent_checkpoints_history)`)
		},
		faults: []fault{{name: "sessions terminated", strike: func(ctx context.Context, r *rand.Rand, _ string) {
			db, err := sql.Open("postgres", direct)
			if err != nil {
				return
			}
			defer db.Close()
			for range 5 {
				db.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
				pause(ctx, r, 100*time.Millisecond)
			}
		}}},
	}
}

// through is a URL with another host.
func through(t testing.TB, address, host string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = host
	return u.String()
}

// withWord is a URL with one more word.
func withWord(t testing.TB, address, name, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	words := u.Query()
	words.Set(name, value)
	u.RawQuery = words.Encode()
	return u.String()
}

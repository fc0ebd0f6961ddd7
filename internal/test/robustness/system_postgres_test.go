package robustness

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/lib/pq"

	_ "github.com/go-ckpt/checkpoint/drivers/postgres"
	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

func startPostgres(t testing.TB) *deployment {
	server := testserver.StartPostgres(t, testserver.PostgresOptions{})
	proxy := faultproxy.New(t, server.Addr)
	d := postgresDeployment(server.URL, through(t, server.URL, proxy.Addr()))
	d.proxy, d.direct = proxy, server.URL
	d.faults = append(d.faults, networkFaults(proxy)...)
	d.faults = append(d.faults, serverFaults(server)...)
	return d
}

// startPgBouncer is a PostgreSQL server behind a pooler in transaction mode.
func startPgBouncer(t testing.TB) *deployment {
	server := testserver.StartPostgres(t, testserver.PostgresOptions{})
	bouncer := testserver.PgBouncer(t, server.URL, "server_login_retry = 1")
	d := postgresDeployment(server.URL, bouncer.URL)
	var pooler sync.Mutex // the one who kills and starts it
	supervise(t, &pooler, bouncer)
	d.faults = append(d.faults, serverFaults(server)...)
	d.faults = append(d.faults, fault{name: "pooler killed", strike: func(ctx context.Context, r *rand.Rand, _ string) {
		pooler.Lock()
		defer pooler.Unlock()
		bouncer.Kill()
		pause(ctx, r, 200*time.Millisecond)
		bouncer.Restart()
	}})
	return d
}

// supervise starts a pooler again when it has ended by itself, as an operator's
// init system does: PgBouncer 1.18 gives up with "server in bad state: 11" when a
// query is cancelled while its server goes away.
func supervise(t testing.TB, mu *sync.Mutex, p *testserver.Process) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			mu.Lock()
			c, err := net.Dial("tcp", p.Addr)
			if err == nil {
				c.Close()
			} else if ctx.Err() == nil {
				p.Restart()
			}
			mu.Unlock()
			pause(ctx, rand.New(rand.NewPCG(0, 0)), 400*time.Millisecond)
		}
	})
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
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
		damage: damageSQL("postgres", direct, map[string][]string{
			"agent_checkpoints":         {"state", "created_at", "version", "oldest", "id", "payload", "encoding", "size", "metadata", "expires_at"},
			"agent_checkpoints_history": {"version", "id", "state", "payload", "encoding", "size", "metadata", "expires_at"},
			"agent_checkpoints_chains":  {"version", "id", "base", "encoding", "digest", "payload"},
		}),
		stored: func(t testing.TB) int {
			return countRows(t, "postgres", direct, `SELECT (SELECT count(*) FROM agent_checkpoints) + (SELECT count(*) FROM agent_checkpoints_history) + (SELECT count(*) FROM agent_checkpoints_chains)`)
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

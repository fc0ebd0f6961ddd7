package redis

import (
	"net"
	"testing"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
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

// withClient hands a plain client to New, with its own ideas about contexts.
func withClient(t testing.TB, dsn string) driver.Backend {
	return New(clientOf(t, dsn), Config{Prefix: "client:"})
}

// clientOf returns a client for the server of a DSN, as an application would
// make it.
func clientOf(t testing.TB, dsn string) redis.UniversalClient {
	t.Helper()
	cfg, err := ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: cfg.options.Addrs, MasterName: cfg.options.MasterName, IsClusterMode: cfg.topology == cluster,
		Username: cfg.options.Username, Password: cfg.options.Password, DB: cfg.options.DB, TLSConfig: cfg.options.TLSConfig,
		// It leaves goroutines behind when a client is closed.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { client.Close() })
	return client
}

// TestConformance runs the suite on every topology, with clients of our own and
// with those of an application. It is not parallel: the suite counts goroutines.
func TestConformance(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing.Close()
	dsn := func(dsn string) func(testing.TB) driver.Backend {
		return func(t testing.TB) driver.Backend { return openDSN(t, dsn) }
	}
	client := func(dsn string) func(testing.TB) driver.Backend {
		return func(t testing.TB) driver.Backend { return withClient(t, dsn) }
	}
	for _, c := range []struct {
		name        string
		server      func(testing.TB) string
		words       string
		open        func(string) func(testing.TB) driver.Backend
		unreachable string
	}{
		{"Single", testserver.Redis, "", dsn, "redis://" + silent.Addr().String()},
		{"SingleSharded", testserver.Redis, "?prefix=sharded:&shards=7", dsn, "redis://" + refusing.Addr().String()},
		{"SingleClient", testserver.Redis, "", client, "redis://" + refusing.Addr().String()},
		{"Sentinel", testserver.RedisSentinel, "", dsn, "redis+sentinel://" + silent.Addr().String() + "?master_name=main&dial_timeout=1s"},
		{"Cluster", testserver.RedisCluster, "", dsn, "redis+cluster://" + silent.Addr().String() + "?read_timeout=500ms"},
		{"ClusterClient", testserver.RedisCluster, "", client, "redis+cluster://" + refusing.Addr().String()},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkpointtest.Run(t, c.open(c.server(t)+c.words),
				checkpointtest.Require("Purger", "Importer", "NamespaceLister", "Rewriter", "Finder", "VersionReader", "PrefixDeleter"),
				checkpointtest.Unreachable(c.open(c.unreachable)))
		})
	}
}

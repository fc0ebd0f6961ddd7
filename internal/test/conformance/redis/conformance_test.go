package redis_test

import (
	"net"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/redis"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// openDSN returns a handle on a database.
func openDSN(t testing.TB, dsn string) driver.Backend {
	t.Helper()
	b, err := redis.Driver{}.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// It leaves goroutines behind when a client is closed.
var withoutNotifications = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}

// withClient hands a plain client to New, as an application would make it, with its
// own ideas about contexts.
func withClient(t testing.TB, dsn string) driver.Backend {
	t.Helper()
	var client goredis.UniversalClient
	if url, ok := strings.CutPrefix(dsn, "redis+cluster"); ok {
		options, err := goredis.ParseClusterURL("redis" + url)
		if err != nil {
			t.Fatal(err)
		}
		options.MaintNotificationsConfig = withoutNotifications
		client = goredis.NewClusterClient(options)
	} else {
		options, err := goredis.ParseURL(dsn)
		if err != nil {
			t.Fatal(err)
		}
		options.MaintNotificationsConfig = withoutNotifications
		client = goredis.NewClient(options)
	}
	t.Cleanup(func() { client.Close() })
	return redis.New(client, redis.Config{Prefix: "client:"})
}

// TestConformance runs the suite on every topology, with clients of our own and
// with those of an application. It is not parallel: the suite counts goroutines.
func TestConformance(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, and no answer comes
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
				checkpointtest.RequireAll(),
				checkpointtest.Unreachable(c.open(c.unreachable)))
		})
	}
}

// TestConformanceIncremental runs the cases about stores again, with patches wherever
// a state is large enough.
func TestConformanceIncremental(t *testing.T) {
	dsn := testserver.Redis(t) + "?prefix=incremental:"
	checkpointtest.Run(t, func(t testing.TB) driver.Backend { return openDSN(t, dsn) },
		checkpointtest.RequireAll(), checkpointtest.Options(checkpoint.WithIncremental()),
		checkpointtest.Cases(func(name string) bool { return strings.HasPrefix(name, "Store/") }))
}

func BenchmarkSuite(b *testing.B) {
	dsn := testserver.Redis(b)
	checkpointtest.Benchmark(b, func(b testing.TB) driver.Backend { return openDSN(b, dsn) })
}

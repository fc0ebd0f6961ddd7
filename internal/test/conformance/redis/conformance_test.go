package redis_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/redis"
	"github.com/go-ckpt/checkpoint/internal/test/conformance"
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

// withClient hands a plain client to New, with its own ideas about contexts.
func withClient(t testing.TB, dsn string) driver.Backend {
	t.Helper()
	return redis.New(plain(t, dsn), redis.Config{Prefix: "client:"})
}

// plain returns a client as an application would make it.
func plain(t testing.TB, dsn string) goredis.UniversalClient {
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
	return client
}

// payloads counts the values with a mark, whatever their key is and its type.
func payloads(t *testing.T, dsn string) func(context.Context, string) (int, error) {
	count := func(ctx context.Context, client *goredis.Client, mark string) (n int, err error) {
		keys := client.Scan(ctx, 0, "", 1_000).Iterator()
		for keys.Next(ctx) {
			var values []string
			switch kind := client.Type(ctx, keys.Val()).Val(); kind {
			case "list":
				values, err = client.LRange(ctx, keys.Val(), 0, -1).Result()
			case "hash":
				values, err = client.HVals(ctx, keys.Val()).Result()
			case "zset":
				values, err = client.ZRange(ctx, keys.Val(), 0, -1).Result()
			case "none": // gone meanwhile
			default:
				err = fmt.Errorf("the key %q has the type %q", keys.Val(), kind)
			}
			if err != nil {
				return 0, err
			}
			for _, value := range values {
				if strings.Contains(value, mark) {
					n++
				}
			}
		}
		return n, keys.Err()
	}
	client := plain(t, dsn)
	return func(ctx context.Context, mark string) (int, error) {
		var n atomic.Int64
		one := func(ctx context.Context, c *goredis.Client) error {
			found, err := count(ctx, c, mark)
			n.Add(int64(found))
			return err
		}
		var err error
		switch client := client.(type) {
		case *goredis.ClusterClient:
			err = client.ForEachMaster(ctx, one)
		case *goredis.Client:
			err = one(ctx, client)
		}
		return int(n.Load()), err
	}
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
	// The scripts are the same everywhere: what they store is tried on a server and on a
	// cluster, what else may differ on the others.
	counting := func(t *testing.T, server string) checkpointtest.Option {
		return checkpointtest.StoredPayloads(payloads(t, server), 0)
	}
	lists := func(*testing.T, string) checkpointtest.Option { return conformance.Lists() }
	clients := func(*testing.T, string) checkpointtest.Option { return conformance.Clients() }
	for _, c := range []struct {
		name        string
		server      func(testing.TB) string
		words       string
		open        func(string) func(testing.TB) driver.Backend
		unreachable string
		more        func(t *testing.T, server string) checkpointtest.Option
	}{
		{"Single", testserver.Redis, "", dsn, "redis://" + silent.Addr().String(), counting},
		{"SingleSharded", testserver.Redis, "?prefix=sharded:&shards=7&pool_size=2", dsn, "redis://" + refusing.Addr().String(), lists},
		{"SingleClient", testserver.Redis, "", client, "redis://" + refusing.Addr().String(), clients},
		{"Sentinel", testserver.RedisSentinel, "", dsn, "redis+sentinel://" + silent.Addr().String() + "?master_name=main&dial_timeout=1s", clients},
		{"Cluster", testserver.RedisCluster, "", dsn, "redis+cluster://" + silent.Addr().String() + "?read_timeout=500ms", counting},
		{"ClusterClient", testserver.RedisCluster, "", client, "redis+cluster://" + refusing.Addr().String(), clients},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkpointtest.Run(t, c.open(c.server(t)+c.words),
				checkpointtest.RequireAll(),
				checkpointtest.Unreachable(c.open(c.unreachable)),
				c.more(t, c.server(t)))
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

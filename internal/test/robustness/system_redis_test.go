package robustness

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	_ "github.com/go-ckpt/checkpoint/drivers/redis"
	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// startRedis is one server that has every acknowledged write in its file.
func startRedis(t testing.TB) *deployment {
	server := testserver.StartRedis(t, testserver.RedisOptions{})
	proxy := faultproxy.New(t, server.Addr)
	d := redisDeployment(t, "redis", through(t, server.URL, proxy.Addr()), server.URL)
	d.proxy, d.direct = proxy, server.URL
	d.faults = append(networkFaults(proxy), serverFaults(server)...)
	d.faults = append(d.faults, fault{name: "scripts forgotten", strike: func(ctx context.Context, r *rand.Rand, _ string) {
		client := redis.NewClient(&redis.Options{Addr: server.Addr})
		defer client.Close()
		for range 10 {
			client.ScriptFlush(ctx)
			pause(ctx, r, 20*time.Millisecond)
		}
	}})
	return d
}

// startSentinel is a master with a replica. A failover may lose what was
// acknowledged: then only what was read is checked, not its order.
func startSentinel(t testing.TB) *deployment {
	s := testserver.StartRedisSentinel(t)
	d := &deployment{driver: "redis+sentinel", dsn: s.URL}
	d.faults = []fault{
		{name: "failover", lossy: true, strike: func(context.Context, *rand.Rand, string) {
			s.Failover()
			s.AwaitSettled()
		}},
		{name: "master killed", lossy: true, strike: func(context.Context, *rand.Rand, string) {
			old := s.Node(s.MasterAddr())
			old.Kill()
			s.AwaitFailover(old.Addr)
			old.Restart()
			s.AwaitSettled()
		}},
	}
	return d
}

// startCluster is three masters with a replica each. Moving slots loses
// nothing; a failover may.
func startCluster(t testing.TB) *deployment {
	c := testserver.StartRedisCluster(t)
	slot := func(namespace, thread string) int {
		h := fnv.New64a()
		h.Write([]byte(thread))
		return c.Slot(fmt.Sprintf("{%s:%d}", namespace, h.Sum64()%64))
	}
	return &deployment{driver: "redis+cluster", dsn: c.URL, faults: []fault{
		{name: "slots moved", strike: func(_ context.Context, r *rand.Rand, namespace string) {
			for range 2 {
				masters := c.Masters()
				slot := slot(namespace, threadNames[r.IntN(len(threadNames))])
				to := masters[r.IntN(len(masters))]
				if to == c.MasterOf(slot) {
					continue
				}
				c.BeginMove(slot, to)
				time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
				c.MoveKeys(slot, to)
				c.EndMove(slot, to)
			}
		}},
		{name: "failover", lossy: true, strike: func(_ context.Context, r *rand.Rand, namespace string) {
			c.Failover(c.MasterOf(slot(namespace, threadNames[0])))
			c.AwaitOK()
		}},
		{name: "master killed", lossy: true, strike: func(_ context.Context, r *rand.Rand, namespace string) {
			slot := slot(namespace, threadNames[0])
			old := c.MasterOf(slot)
			old.Kill()
			c.AwaitFailover(slot, old)
			old.Restart()
			c.AwaitOK()
		}},
	}}
}

func redisDeployment(t testing.TB, driverName, dsn, direct string) *deployment {
	options, err := redis.ParseURL(direct)
	if err != nil {
		t.Fatal(err)
	}
	var prefixes atomic.Int64
	return &deployment{
		driver: driverName,
		dsn:    dsn,
		fresh: func(t testing.TB) string {
			return dsn + "?" + url.Values{"prefix": {fmt.Sprintf("fresh%d:", prefixes.Add(1))}}.Encode()
		},
		damage: damageRedis(options.Addr),
		stored: func(t testing.TB) int {
			client := redis.NewClient(options)
			defer client.Close()
			n, err := client.DBSize(t.Context()).Result()
			if err != nil {
				t.Fatal(err)
			}
			return int(n)
		},
	}
}

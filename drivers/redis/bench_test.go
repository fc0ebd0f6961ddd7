package redis

import (
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
	"github.com/redis/go-redis/v9"
)

// BenchmarkAgainstBareClient measures each operation beside the fewest bare
// go-redis commands that move the same bytes, taking turns on one server, and
// reports the medians and their ratio:
//
//	go test ./drivers/redis -run '^$' -bench AgainstBareClient -benchtime 5000x
func BenchmarkAgainstBareClient(b *testing.B) {
	dsn := testserver.Redis(b)
	options, err := redis.ParseURL(dsn)
	if err != nil {
		b.Fatal(err)
	}
	bare := redis.NewClient(options)
	b.Cleanup(func() { bare.Close() })
	ours := openDSN(b, dsn)
	ctx := b.Context() // one that can be cancelled, as those of applications
	for _, size := range []int{2 << 10, 100 << 10, 1 << 20} {
		payload := agentstate.JSON(size, 1)
		plain := rand.Text()
		set := func() error { return bare.Set(ctx, plain, payload, 0).Err() }
		get := func() error { return bare.Get(ctx, plain).Err() }
		if err := set(); err != nil {
			b.Fatal(err)
		}
		save := func(keep int, conditional bool) func() error {
			key := driver.Key{Namespace: "bench", Thread: rand.Text()}
			var last string
			return func() error {
				req := driver.SaveRequest{Key: key, ID: rand.Text(), Payload: payload, Encoding: "json", Now: time.Now(), Keep: keep}
				if conditional {
					req.Match.ID = last
				}
				info, err := ours.Save(ctx, req)
				last = info.ID
				return err
			}
		}
		key := driver.Key{Namespace: "bench", Thread: rand.Text()}
		if _, err := ours.Save(ctx, driver.SaveRequest{Key: key, ID: "id", Payload: payload, Encoding: "json", Now: time.Now(), Keep: 1}); err != nil {
			b.Fatal(err)
		}
		load := func() error {
			_, err := ours.Load(ctx, driver.LoadRequest{Key: key, Now: time.Now()})
			return err
		}
		for _, c := range []struct {
			name        string
			ours, floor func() error
		}{
			{"Save", save(1, false), set},
			{"SaveMatch", save(1, true), set},
			{"SaveHistory20", save(20, false), set},
			{"Load", load, get},
		} {
			b.Run(fmt.Sprintf("%s/%dKB", c.name, size>>10), func(b *testing.B) { compare(b, c.ours, c.floor) })
		}
	}
}

// compare lets two operations take turns, three of each at a time so that
// neither always finds the caches as the other left them.
func compare(b *testing.B, ours, floor func() error) {
	var times [2][]time.Duration
	for range b.N {
		for i, op := range []func() error{floor, ours} {
			for range 3 {
				start := time.Now()
				if err := op(); err != nil {
					b.Fatal(err)
				}
				times[i] = append(times[i], time.Since(start))
			}
		}
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2].Nanoseconds()) / 1000
	}
	f, o := median(times[0]), median(times[1])
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(f, "floor-µs")
	b.ReportMetric(o, "ours-µs")
	b.ReportMetric(o/f, "ratio")
}

package redis

import (
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
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

// BenchmarkShared measures 8 callers that share so many connections beside as many with
// a bare client of a connection each, taking turns in blocks.
func BenchmarkShared(b *testing.B) {
	dsn := testserver.Redis(b)
	options, err := redis.ParseURL(dsn)
	if err != nil {
		b.Fatal(err)
	}
	options.ContextTimeoutEnabled = true
	bare := redis.NewClient(options)
	b.Cleanup(func() { bare.Close() })
	const callers, calls = 8, 400
	payload := agentstate.JSON(2<<10, 1)
	block := func(op func(caller int) error) time.Duration {
		start := time.Now()
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				for range calls {
					if err := op(i); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		return time.Since(start) / (callers * calls)
	}
	ctx := b.Context()
	keys := make([]driver.Key, callers)
	last := make([]string, callers)
	for i := range keys {
		keys[i] = driver.Key{Namespace: "bench", Thread: rand.Text()}
	}
	set := func(i int) error { return bare.Set(ctx, keys[i].Thread, payload, 0).Err() }
	get := func(i int) error { return bare.Get(ctx, keys[i].Thread).Err() }
	for _, size := range []int{1, 2, 4, 20} {
		ours := openDSN(b, fmt.Sprintf("%s?pool_size=%d", dsn, size))
		save := func(keep int, conditional bool) func(i int) error {
			return func(i int) error {
				req := driver.SaveRequest{Key: keys[i], ID: rand.Text(), Payload: payload, Encoding: "json", Now: time.Now(), Keep: keep}
				if conditional {
					req.Match.ID = last[i]
				}
				info, err := ours.Save(ctx, req)
				last[i] = info.ID
				return err
			}
		}
		for _, c := range []struct {
			name        string
			ours, floor func(i int) error
		}{
			{"Save", save(1, false), set},
			{"SaveMatch", save(1, true), set},
			{"SaveHistory20", save(20, false), set},
			{"Load", func(i int) error {
				_, err := ours.Load(ctx, driver.LoadRequest{Key: keys[i], Now: time.Now()})
				return err
			}, get},
		} {
			b.Run(fmt.Sprintf("%s/%d", c.name, size), func(b *testing.B) {
				var times [2][]time.Duration
				for range b.N {
					times[0] = append(times[0], block(c.floor))
					times[1] = append(times[1], block(c.ours))
				}
				slices.Sort(times[0])
				slices.Sort(times[1])
				f, o := times[0][len(times[0])/2], times[1][len(times[1])/2]
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(f.Nanoseconds())/1000, "floor-µs")
				b.ReportMetric(float64(o.Nanoseconds())/1000, "ours-µs")
				b.ReportMetric(float64(o)/float64(f), "ratio")
			})
		}
	}
}

package redis

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
	"github.com/redis/go-redis/v9"
)

// threadCount is how many threads TestManyThreads lists: CHECKPOINT_TEST_THREADS,
// or 50,000. A million take a minute and 500 MB of the server.
func threadCount(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("CHECKPOINT_TEST_THREADS"))
	if err != nil {
		return 50_000
	}
	return n
}

// TestManyThreads lists a great many threads, in pages and as a whole. The heap
// stays flat, and a page costs the same wherever it lies.
func TestManyThreads(t *testing.T) {
	server := testserver.StartRedis(t, testserver.RedisOptions{Config: []string{"appendonly no"}})
	for _, words := range []string{"", "?shards=64&prefix=sharded:"} {
		t.Run("words="+words, func(t *testing.T) {
			b := openDSN(t, server.URL+words)
			n := threadCount(t)
			fillThreads(t, b, "many", n)
			name := func(i int) string { return fmt.Sprintf("thread-%09d", i) }

			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			peak := uint64(0)
			seen := 0
			for info, err := range b.List(t.Context(), driver.ListRequest{Namespace: "many", Now: time.Now()}) {
				if err != nil {
					t.Fatal(err)
				}
				if want := name(seen); info.Thread != want {
					t.Fatalf("thread %d is %q, want %q", seen, info.Thread, want)
				}
				if seen++; seen%(n/10) == 0 {
					runtime.GC()
					runtime.ReadMemStats(&after)
					peak = max(peak, after.HeapAlloc)
				}
			}
			if seen != n {
				t.Errorf("List yields %d threads, want %d", seen, n)
			}
			if grown := int64(peak) - int64(before.HeapAlloc); grown > 8<<20 {
				t.Errorf("listing %d threads took %d bytes of heap", n, grown)
			}

			var count counter
			b.client.AddHook(&count)
			for _, at := range []int{0, n / 2, n - 101} {
				sent := count.sent.Load()
				page := list(t, b, driver.ListRequest{Namespace: "many", Prefix: "thread-", After: name(at), Limit: 100})
				if len(page) != 100 || page[0] != name(at+1) || page[99] != name(at+100) {
					t.Errorf("the page after %s has %d threads, from %q to %q", name(at), len(page), page[0], page[len(page)-1])
				}
				if trips := count.sent.Load() - sent; trips > 6 || words == "" && trips != 2 {
					t.Errorf("the page after %s took %d round trips", name(at), trips)
				}
			}
		})
	}
}

// fillThreads makes many threads as save.lua does, in few round trips.
func fillThreads(t *testing.T, b *backend, ns string, n int) {
	t.Helper()
	if err := b.enroll(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	options := *b.client.(*redis.Client).Options()
	options.ReadTimeout, options.WriteTimeout = -1, -1 // a busy machine takes its time
	client := redis.NewClient(&options)
	defer client.Close()
	now := time.Now().UTC()
	for from := 0; from < n; from += 2_000 {
		_, err := client.Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
			for i := from; i < min(n, from+2_000); i++ {
				w := write{key: driver.Key{Namespace: ns, Thread: fmt.Sprintf("thread-%09d", i)}, id: "id", now: now, created: now, saved: now, keep: 1}
				rest, err := restOfInfo(now, 2, "json", nil)
				if err != nil {
					return err
				}
				argv := append(w.argv(rest), "{}")
				if i == from {
					pipe.ScriptLoad(t.Context(), saveScript.source)
				}
				pipe.Do(t.Context(), saveScript.args(false, false, b.layout.thread(w.key), argv...)...)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestManyVersions gives a thread thousands of versions: operations cost the
// server no more commands than with one.
func TestManyVersions(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, testserver.RedisOptions{})
	b := openDSN(t, server.URL)
	admin := clientOf(t, server.URL)
	key := driver.Key{Namespace: "n", Thread: "thread"}
	const versions = 5_000
	save := func(keep int) driver.Info {
		req := request(key, []byte("state"))
		req.Keep = keep
		return mustSave(t, b, req)
	}
	// calls are the commands that the server runs for an operation, those of
	// scripts included.
	calls := func(run func()) int64 {
		t.Helper()
		if err := admin.ConfigResetStat(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		run()
		stats, err := admin.InfoMap(t.Context(), "commandstats").Result()
		if err != nil {
			t.Fatal(err)
		}
		total := int64(0)
		for _, line := range stats["Commandstats"] {
			var n int64
			fmt.Sscanf(line, "calls=%d", &n)
			total += n
		}
		return total
	}
	save(driver.KeepAll)
	save(driver.KeepAll)
	few := calls(func() { save(driver.KeepAll) })
	for range versions {
		save(driver.KeepAll)
	}
	if many := calls(func() { save(driver.KeepAll) }); many != few {
		t.Errorf("a save of a thread with %d versions took %d commands, with three %d", versions, many, few)
	}
	if got := len(history(t, b, driver.HistoryRequest{Key: key, Limit: 10})); got != 10 {
		t.Errorf("History of 10 has %d", got)
	}
	if got := len(history(t, b, driver.HistoryRequest{Key: key})); got != versions+4 {
		t.Errorf("History has %d versions, want %d", got, versions+4)
	}
	for _, v := range []int64{1, 2, versions / 2, versions + 4} {
		if cp, err := b.Load(t.Context(), driver.LoadRequest{Key: key, Version: v, Now: time.Now()}); err != nil || cp.Version != v {
			t.Errorf("Load of version %d = version %d, %v", v, cp.Version, err)
		}
	}
	// Keeping fewer drops what is too much, at once.
	for _, keep := range []int{100, 2, 1} {
		save(keep)
		if got := len(history(t, b, driver.HistoryRequest{Key: key})); got != keep {
			t.Errorf("after a save that keeps %d History has %d versions", keep, got)
		}
		fields, err := admin.HLen(t.Context(), b.layout.past("n", "thread")).Result()
		if want := int64(2 * (keep - 1)); err != nil || fields != want {
			t.Errorf("after a save that keeps %d the past has %d fields, want %d (%v)", keep, fields, want, err)
		}
	}
}

package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/bits"
	"runtime"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

// heapLimit is what listing a store of any size may hold.
const heapLimit = 32 << 20

// scale compares stores of many threads with one of a hundredth, and a thread of
// many versions with one of two. Both stores of a comparison are there at the
// same time and take turns.
func scale(t *testing.T, open func() *subject) section {
	t.Helper()
	most := *threads
	counts := []int{max(200, most/100), max(200, most/10), most}
	small := open()
	if small.name == "DynamoDB" && most > 100_000 { // DynamoDB Local holds its tables in memory
		counts = counts[:2]
	}
	out := section{title: small.name + ", by the size of the store"}
	state := same(agentstate.JSON(2<<10, 1)) // a smaller one would grow in the first save, which moves others
	fill(t, small, counts[0], state)
	var largest *subject
	for _, n := range counts[1:] {
		largest = open()
		began := time.Now()
		fill(t, largest, n, state)
		t.Logf("%d threads saved in %v", n, time.Since(began).Round(time.Second))
		for _, op := range []struct {
			name string
			on   func(s *subject, n int) operation
		}{{"save", saveAmong}, {"load", loadAmong}, {"page of 100", pageAmong}} {
			r := compare(t, fmt.Sprintf("%s, %d threads", op.name, n), 2<<10, 1, *length, op.on(largest, n), op.on(small, counts[0]))
			r.Target = scaleGoal
			out.results = append(out.results, r)
		}
	}
	heap := streamed(t, largest, counts[len(counts)-1])
	out.results = append(out.results, longHistory(t, small)...)
	out.about = "Here the floor is the same driver on a small store, and for versions on a thread of 2. " +
		"What grows with the store is what does not fit into caches: threads are visited in an order far from theirs, so that each save and each page " +
		"touches other pages of the database."
	out.text = fmt.Sprintf("%s: the small store has %d threads. Listing all %d names of the largest held %.1f MB of heap at most; the limit is %d MB.",
		small.name, counts[0], counts[len(counts)-1], float64(heap)/(1<<20), heapLimit>>20)
	return out
}

func scaleThread(i int) string { return fmt.Sprintf("user-%08d", i) }

// fill saves states of n threads.
func fill(t *testing.T, s *subject, n int, state func() []byte) {
	t.Helper()
	const savers = 32
	one := saver{s.backend, state, 1, rand.Text}
	together(t, savers, func(ctx context.Context, caller int) error {
		for i := caller; i < n; i += savers {
			if _, err := one.save(ctx, scaleThread(i), driver.Match{}); err != nil {
				return err
			}
		}
		return nil
	})
	if s.settle != nil {
		require(t, s.settle(t.Context()))
	}
}

// spread visits the threads of a store of n in an order far from theirs, and the same
// part of them only after all others: by steps of the golden section.
func spread(i, n int) int {
	const golden = 0x9E3779B97F4A7C15
	place, _ := bits.Mul64(uint64(i)*golden, uint64(n))
	return int(place)
}

func saveAmong(s *subject, n int) operation {
	one := saver{s.backend, same(agentstate.JSON(2<<10, 1)), 1, rand.Text}
	return func(ctx context.Context, _, i int) error {
		_, err := one.save(ctx, scaleThread(spread(i, n)), driver.Match{})
		return err
	}
}

func loadAmong(s *subject, n int) operation {
	return func(ctx context.Context, _, i int) error {
		_, err := load(ctx, s.backend, scaleThread(spread(i, n)))
		return err
	}
}

func pageAmong(s *subject, n int) operation {
	return func(ctx context.Context, _, i int) error {
		return page100(ctx, s.backend, scaleThread(spread(i, n-101)))
	}
}

// alive returns how much heap is.
func alive() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// streamed lists every name and returns the most heap that was alive meanwhile.
func streamed(t *testing.T, s *subject, want int) (highest uint64) {
	t.Helper()
	before := alive()
	n, last := 0, ""
	for info, err := range s.backend.List(t.Context(), driver.ListRequest{Namespace: namespace, Prefix: "user-", Now: time.Now()}) {
		require(t, err)
		if info.Thread <= last {
			t.Fatalf("%q after %q", info.Thread, last)
		}
		last = info.Thread
		if n++; n%(1+want/100) == 0 {
			highest = max(highest, alive())
		}
	}
	highest -= min(highest, before)
	if n != want {
		t.Errorf("listed %d threads, want %d", n, want)
	}
	if highest > heapLimit {
		t.Errorf("listing %d threads held %d MB of heap, want at most %d", n, highest>>20, heapLimit>>20)
	}
	return highest
}

// longHistory compares a thread of many versions with one of 2.
func longHistory(t *testing.T, s *subject) []result {
	t.Helper()
	all := saver{s.backend, same(agentstate.JSON(2<<10, 1)), driver.KeepAll, rand.Text}
	two := all
	two.keep = 2 // so that both write a history
	began := time.Now()
	for i := range *versions {
		_, err := all.save(t.Context(), "long", driver.Match{})
		require(t, err)
		if i < 3 {
			_, err = two.save(t.Context(), "short", driver.Match{})
			require(t, err)
		}
	}
	t.Logf("%d versions saved in %v", *versions, time.Since(began).Round(time.Second))
	saving := func(s saver, thread string) operation {
		return func(ctx context.Context, _, _ int) error {
			_, err := s.save(ctx, thread, driver.Match{})
			return err
		}
	}
	loading := func(thread string) operation {
		return func(ctx context.Context, _, _ int) error {
			_, err := load(ctx, s.backend, thread)
			return err
		}
	}
	results := []result{
		compare(t, fmt.Sprintf("save, %d versions", *versions), 2<<10, 1, *length, saving(all, "long"), saving(two, "short")),
		compare(t, fmt.Sprintf("load, %d versions", *versions), 2<<10, 1, *length, loading("long"), loading("short")),
	}
	for i := range results {
		results[i].Target = scaleGoal
	}
	return results
}

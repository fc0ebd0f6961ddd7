package bench

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/agentstate"
)

var (
	scale  = flag.Bool("scale", false, "fill stores with up to a million threads")
	growth = flag.Bool("growth", false, "run a conversation of a thousand steps")
)

// TestScale measures what a save, a load and a page of 100 cost in stores of
// different sizes:
//
//	go test ./internal/bench -run TestScale -scale -timeout 120m -v
func TestScale(t *testing.T) {
	counts := []int{200, 1000}
	if *scale {
		counts = []int{10_000, 100_000, 1_000_000}
	}
	for _, open := range subjects {
		t.Run("subject", func(t *testing.T) {
			s := open(t)
			if *only != "" && *only != s.name {
				t.Skip("SKIPPED: -only names another driver")
			}
			have := 0
			for _, n := range counts {
				if s.name == "DynamoDB" && n > 100_000 {
					continue
				}
				fillThreads(t, s.backend, have, n)
				have = n
				scaleOnce(t, s, n)
			}
			streamed(t, s, have)
			longHistory(t, s)
		})
	}
}

func scaleThread(i int) string { return fmt.Sprintf("user-%08d", i) }

// fillThreads saves small states of threads from to n.
func fillThreads(t *testing.T, b driver.Backend, from, n int) {
	t.Helper()
	one := saver{b, same([]byte(`{"step":1}`)), 1, rand.Text}
	var wg sync.WaitGroup
	const savers = 16
	for c := range savers {
		wg.Go(func() {
			for i := from + c; i < n; i += savers {
				if _, err := one.save(t.Context(), scaleThread(i), driver.Match{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func scaleOnce(t *testing.T, s *subject, n int) {
	t.Helper()
	one := saver{s.backend, same(agentstate.JSON(2<<10, 1)), 1, rand.Text}
	spread := func(i int) int { return i * 7919 % n }
	calls := 30
	if *scale {
		calls = 500
	}
	for name, op := range map[string]operation{
		"save": func(ctx context.Context, _, i int) error {
			_, err := one.save(ctx, scaleThread(spread(i)), driver.Match{})
			return err
		},
		"load": func(ctx context.Context, _, i int) error {
			_, err := load(ctx, s.backend, scaleThread(spread(i)))
			return err
		},
		"page of 100": func(ctx context.Context, _, i int) error {
			got, err := list(ctx, s.backend, scaleThread(spread(i)%(n-100)), 100)
			if err == nil && got != 100 {
				return fmt.Errorf("a page of %d threads", got)
			}
			return err
		},
	} {
		var times []time.Duration
		for i := range calls {
			times = append(times, timed(t, op, i))
		}
		t.Logf("%-10s %9d threads: %-12s median %v", s.name, n, name, median(times))
	}
}

// streamed lists every name and watches the heap.
func streamed(t *testing.T, s *subject, want int) {
	t.Helper()
	runtime.GC()
	var before, m runtime.MemStats
	runtime.ReadMemStats(&before)
	highest, n, last := uint64(0), 0, ""
	for info, err := range s.backend.List(t.Context(), driver.ListRequest{Namespace: namespace, Prefix: "user-", Now: time.Now()}) {
		require(t, err)
		if info.Thread <= last {
			t.Fatalf("%q after %q", info.Thread, last)
		}
		last = info.Thread
		if n++; n%(1+want/100) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			highest = max(highest, m.HeapAlloc-min(m.HeapAlloc, before.HeapAlloc))
		}
	}
	if n != want {
		t.Errorf("%s: listed %d threads, want %d", s.name, n, want)
	}
	const limit = 32 << 20
	if highest > limit && s.name != "DynamoDB" {
		t.Errorf("%s: listing %d threads took %d MB of heap, want at most 32", s.name, n, highest>>20)
	}
	t.Logf("%-10s %9d threads streamed, heap at most %d KB more", s.name, n, highest>>10)
}

// longHistory compares a thread of many versions with one of a single version.
func longHistory(t *testing.T, s *subject) {
	t.Helper()
	versions := 300
	if *scale {
		versions = 10_000
	}
	payload := same(agentstate.JSON(2<<10, 1))
	all := saver{s.backend, payload, driver.KeepAll, rand.Text}
	for range versions {
		_, err := all.save(t.Context(), "long", driver.Match{})
		require(t, err)
	}
	for _, thread := range []string{"short", "long"} {
		var saves, loads []time.Duration
		for i := range 50 {
			keep := driver.KeepAll
			if thread == "short" {
				keep = 2 // so that both write a history
			}
			saves = append(saves, timed(t, func(ctx context.Context, _, _ int) error {
				_, err := saver{s.backend, payload, keep, rand.Text}.save(ctx, thread, driver.Match{})
				return err
			}, i))
			loads = append(loads, timed(t, func(ctx context.Context, _, _ int) error {
				_, err := load(ctx, s.backend, thread)
				return err
			}, i))
		}
		t.Logf("%-10s %s thread of %d versions: save %v, load %v", s.name, thread, versions, median(saves), median(loads))
	}
}

// TestGrowingConversation saves a conversation that grows by 2 KB a step, with a
// history of 50, and reports what it costs:
//
//	go test ./internal/bench -run TestGrowingConversation -growth -timeout 60m -v
func TestGrowingConversation(t *testing.T) {
	steps := 20
	if *growth {
		steps = 1000
	}
	var states [][]byte
	written := 0
	for i := range steps {
		b := agentstate.JSON((i+1)*2<<10, 1)
		states = append(states, b)
		written += len(b)
	}
	for _, open := range subjects {
		t.Run("subject", func(t *testing.T) {
			s := open(t)
			if *only != "" && *only != s.name {
				t.Skip("SKIPPED: -only names another driver")
			}
			began := time.Now()
			var times []time.Duration
			for i, state := range states {
				times = append(times, timed(t, func(ctx context.Context, _, _ int) error {
					_, err := saver{s.backend, same(state), 50, rand.Text}.save(ctx, "conversation", driver.Match{})
					return err
				}, i))
			}
			took := time.Since(began)
			kept, n := 0, 0
			for info, err := range s.backend.History(t.Context(), driver.HistoryRequest{Key: key("conversation"), Now: time.Now()}) {
				require(t, err)
				kept += info.Size
				n++
			}
			if want := min(50, steps); n != want {
				t.Errorf("%s keeps %d versions, want %d", s.name, n, want)
			}
			slices.Sort(times)
			t.Logf("%-10s %d steps to %d KB: %d MB saved in %v (median %v, slowest %v); %d versions of %d MB kept",
				s.name, steps, len(states[steps-1])>>10, written>>20, took.Round(time.Millisecond), median(times), times[len(times)-1], n, kept>>20)
		})
	}
}

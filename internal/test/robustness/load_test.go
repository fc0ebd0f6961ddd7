package robustness

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/zstd"
)

// TestNoGoroutineLeft uses and closes handles, also in the middle of their work,
// and looks for goroutines that live on. It does not run in parallel: it would
// see those of others.
func TestNoGoroutineLeft(t *testing.T) {
	for _, s := range systems {
		t.Run(s.name, func(t *testing.T) {
			d := s.start(t)
			before := goleak.IgnoreCurrent()
			for _, interrupted := range []bool{false, true} {
				use(t, d, interrupted)
				wander(t, d, interrupted)
			}
			if err := goleak.Find(before); err != nil {
				t.Error(err)
			}
		})
	}
}

// use works with a handle and closes it, after its work or before its end.
func use(t *testing.T, d *deployment, interrupted bool) {
	t.Helper()
	b, err := open(d.driver, d.dsn)
	if err != nil {
		t.Fatal(err)
	}
	store := checkpoint.New(b, checkpoint.WithNamespace("leaks"))
	if err := store.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	for i := range 8 {
		done.Go(func() {
			for n := range 20 {
				thread := fmt.Sprint("thread-", i)
				_, err := store.Save(t.Context(), thread, n)
				if err == nil {
					_, err = store.Load(t.Context(), thread, new(int))
				}
				for range store.List(t.Context(), checkpoint.ListOptions{}) {
					break
				}
				short, end := context.WithTimeout(t.Context(), time.Duration(n)*50*time.Microsecond)
				store.Save(short, thread, n)
				end()
				if err != nil && !errors.Is(err, driver.ErrClosed) {
					t.Errorf("%v, want success or ErrClosed", err)
				}
			}
		})
	}
	if !interrupted {
		done.Wait()
	}
	if err := store.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	done.Wait()
}

// wander uses what works on many threads, of compressed and encrypted states, and
// iterators: to their end, or interrupted and left half-way.
func wander(t *testing.T, d *deployment, interrupted bool) {
	t.Helper()
	b, err := open(d.driver, d.dsn)
	if err != nil {
		t.Fatal(err)
	}
	store := checkpoint.New(b, checkpoint.WithNamespace("wander"), checkpoint.WithHistory(keep),
		checkpoint.WithCompression(zstd.Compressor), checkpoint.WithEncryption(crashKeys(0)))
	target, err := checkpoint.Open("memory", "")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	for i := range 20 {
		for range keep {
			if _, err := checkpoint.Update(t.Context(), store, fmt.Sprint("thread-", i), func(s *state) error { s.N++; return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	if interrupted {
		// The progress of both ends them in their midst.
		_, err = checkpoint.Copy(ctx, target, store, checkpoint.CopyOptions{History: true, Concurrency: 4, Progress: func(checkpoint.CopyStats) {
			if n++; n == 3 {
				cancel()
			}
		}})
	} else {
		_, err = checkpoint.Copy(ctx, target, store, checkpoint.CopyOptions{History: true, Concurrency: 4})
	}
	if (err != nil) != interrupted {
		t.Errorf("Copy = %v, interrupted %v", err, interrupted)
	}
	if _, err := checkpoint.Rekey(ctx, store, checkpoint.RekeyOptions{Concurrency: 4}); (err != nil) != interrupted {
		t.Errorf("Rekey = %v, interrupted %v", err, interrupted)
	}
	for range store.List(t.Context(), checkpoint.ListOptions{}) {
		break
	}
	for range store.History(t.Context(), "thread-1", checkpoint.HistoryOptions{}) {
		break
	}
	if err := store.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// TestManySaves saves from many goroutines at once over one handle and its pool
// of the usual size; none is refused and none is lost. -proof.saves sets how many,
// and then ten times the load has to keep four fifths of the throughput.
func TestManySaves(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *deployment) {
		store := checkpoint.New(d.handle(t))
		most := *proofSaves
		if most == usualSaves {
			manySaves(t, store.Namespace("many"), most)
			return
		}
		var tenth, whole time.Duration // the time of as many saves, interleaved
		for range 2 {
			for range 10 {
				tenth += manySaves(t, store.Namespace(rand.Text()), most/10)
			}
			whole += manySaves(t, store.Namespace(rand.Text()), most)
		}
		kept := int(100 * tenth / whole)
		if kept < 80 {
			t.Errorf("%d saves at once keep %d %% of the throughput of %d, want 80 %%", most, kept, most/10)
		}
		proved(t, "load", d.driver, fmt.Sprintf("%d saves at once, none refused, at %d %% of the throughput of %d", most, kept, most/10), 0)
	})
}

// manySaves does n saves at once and returns the time they take.
func manySaves(t *testing.T, store *checkpoint.Store, n int) time.Duration {
	t.Helper()
	const threads = 50
	var refused atomic.Int64
	var done sync.WaitGroup
	start := time.Now()
	for i := range n {
		done.Go(func() {
			if _, err := store.Save(t.Context(), fmt.Sprint("thread-", i%threads), i); err != nil && refused.Add(1) < 10 {
				t.Error(err)
			}
		})
	}
	done.Wait()
	taken := time.Since(start)
	var total int64
	for i := range min(threads, n) {
		info, err := store.Stat(t.Context(), fmt.Sprint("thread-", i))
		if err != nil {
			t.Error(err)
		}
		total += info.Version
	}
	if total != int64(n) || refused.Load() > 0 {
		t.Fatalf("%d saves were applied and %d refused, want %d and none", total, refused.Load(), n)
	}
	return taken
}

// TestSoak saves, loads, lists, deletes and purges for -proof.soak and looks
// whether memory and goroutines stay as they were after the first tenth.
func TestSoak(t *testing.T) {
	length := shortly(*proofSoak, time.Second)
	for _, s := range systems {
		if s.variant && *proofSoak == 0 {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			d := s.start(t)
			store := checkpoint.New(d.handle(t), checkpoint.WithNamespace("soak"), checkpoint.WithHistory(keep))
			soak(t, store, length/10)
			memory, goroutines := inUse(), runtime.NumGoroutine()
			operations := soak(t, store, length)
			const slack = 16 << 20
			if now := inUse(); now > memory+slack {
				t.Errorf("%d MiB are in use after %d operations, want the %d MiB of the beginning", now>>20, operations, memory>>20)
			}
			if now := runtime.NumGoroutine(); now > goroutines+20 {
				t.Errorf("%d goroutines after %d operations, want about %d as in the beginning", now, operations, goroutines)
			}
			proved(t, "soak", s.name, fmt.Sprintf("%d operations in %v, %d KiB in use, %d before", operations, length, inUse()>>10, memory>>10), 0)
		})
	}
}

// soak works for a time and returns the number of operations.
func soak(t *testing.T, store *checkpoint.Store, length time.Duration) int64 {
	t.Helper()
	var operations atomic.Int64
	var done sync.WaitGroup
	end := time.Now().Add(length)
	for i := range 4 {
		done.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				thread := fmt.Sprintf("thread-%d-%d", i, n%20)
				_, err := store.Save(t.Context(), thread, state{N: n, Pad: fmt.Sprint(thread)}, checkpoint.ExpiresIn(time.Minute))
				if err == nil {
					_, err = store.Load(t.Context(), thread, new(state))
				}
				switch n % 20 {
				case 7:
					err = errors.Join(err, store.Delete(t.Context(), thread))
				case 13:
					for _, e := range store.List(t.Context(), checkpoint.ListOptions{Limit: 10}) {
						err = errors.Join(err, e)
					}
				case 19:
					_, e := store.Purge(t.Context())
					err = errors.Join(err, e)
				}
				if err != nil {
					t.Error(err)
					return
				}
				operations.Add(3)
			}
		})
	}
	done.Wait()
	return operations.Load()
}

// inUse is the memory that is reachable.
func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

package lease_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/lease"
)

func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		store := checkpoint.New(memory.New(), checkpoint.WithHistory(checkpoint.KeepAll), checkpoint.WithTTL(time.Second))
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		l, err := lease.Acquire(ctx, store, "thread", lease.Options{Owner: "one"})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if l.Context().Err() != nil || l.Context().Value(key{}) != "value" {
			t.Error("the lease's context does not outlive Acquire's, with its values")
		}
		time.Sleep(time.Hour) // 360 renewals
		var held *lease.HeldError
		_, err = lease.Acquire(t.Context(), store, "thread", lease.Options{Owner: "one"})
		if !errors.Is(err, lease.ErrHeld) || !errors.As(err, &held) || held.Owner != "one" || time.Until(held.Until) < 15*time.Second {
			t.Errorf("the second Acquire = %v", err)
		}
		if h, err := lease.Holder(t.Context(), store, "thread"); err != nil || h == nil || h.Owner != "one" {
			t.Errorf("Holder = %v, %v", h, err)
		}
		for range store.List(t.Context(), checkpoint.ListOptions{}) {
			t.Error("the record is in the store's own namespace")
		}
		if err := l.Release(t.Context()); err != nil {
			t.Errorf("Release = %v", err)
		}
		if h, err := lease.Holder(t.Context(), store, "thread"); err != nil || h != nil {
			t.Errorf("Holder of a free lease = %v, %v", h, err)
		}
		if context.Cause(l.Context()) != context.Canceled {
			t.Errorf("the cause is %v", context.Cause(l.Context()))
		}
		if err := l.Release(t.Context()); err != nil {
			t.Errorf("the second Release = %v", err)
		}
		for ns, err := range store.Namespaces(t.Context()) {
			t.Errorf("left: namespace %q, %v", ns, err)
		}
	})
}

// TestNames: every thread of every namespace can be leased.
func TestNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := checkpoint.New(memory.New())
		for _, ns := range []string{"a", strings.Repeat("n", 121), strings.Repeat("n", 122), strings.Repeat("n", 128)} {
			for _, thread := range []string{"t", strings.Repeat("x", 512)} {
				l, err := lease.Acquire(t.Context(), store.Namespace(ns), thread, lease.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := lease.Acquire(t.Context(), store.Namespace(ns), thread, lease.Options{}); !errors.Is(err, lease.ErrHeld) {
					t.Errorf("namespace of %d bytes, thread of %d: %v", len(ns), len(thread), err)
				}
				defer l.Release(t.Context())
			}
		}
	})
}

func TestArguments(t *testing.T) {
	t.Parallel()
	f := &faulty{Backend: memory.New()}
	store := checkpoint.New(f)
	for name, o := range map[string]lease.Options{
		"short TTL": {TTL: time.Second - 1}, "negative TTL": {TTL: -time.Hour},
		"long owner": {Owner: strings.Repeat("x", 4096)}, "NUL in owner": {Owner: "\x00"}, "owner not UTF-8": {Owner: "\xff"},
	} {
		if _, err := lease.Acquire(t.Context(), store, "t", o); !errors.Is(err, checkpoint.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if _, err := lease.Acquire(t.Context(), store, "", lease.Options{}); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Errorf("empty thread: %v", err)
	}
	if f.saves != 0 {
		t.Errorf("%d saves reached the driver", f.saves)
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := checkpoint.New(memory.New())
		first, err := lease.Acquire(t.Context(), store, "t", lease.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := lease.Acquire(ctx, store, "t", lease.Options{Wait: true}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting until the context ended: %v", err)
		}
		time.AfterFunc(time.Minute, func() { first.Release(context.Background()) })
		start := time.Now()
		second, err := lease.Acquire(t.Context(), store, "t", lease.Options{Wait: true})
		if err != nil || time.Since(start) > time.Minute+2*time.Second {
			t.Fatalf("waiting for the release: %v after %v", err, time.Since(start))
		}
		second.Release(t.Context())
		store.Close()
		if _, err := lease.Acquire(t.Context(), store, "t", lease.Options{Wait: true}); !errors.Is(err, checkpoint.ErrClosed) {
			t.Errorf("another error: %v", err)
		}
	})
}

// faulty is a backend that can be away, lose replies, and be slow.
type faulty struct {
	driver.Backend
	mu        sync.Mutex
	saves     int
	away      bool          // nothing is applied
	loseReply func() bool   // applied, and reported as unavailable
	hang      time.Duration // before the answer, whatever the context says
}

func (f *faulty) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	f.mu.Lock()
	f.saves++
	away, hang, lose := f.away, f.hang, f.loseReply != nil && f.loseReply()
	f.mu.Unlock()
	time.Sleep(hang)
	if away {
		return driver.Info{Key: req.Key, ID: req.ID}, driver.ErrUnavailable
	}
	info, err := f.Backend.Save(ctx, req)
	if lose && err == nil {
		return driver.Info{Key: req.Key, ID: req.ID}, driver.ErrUnavailable
	}
	return info, err
}

func (f *faulty) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// TestLostReplies: a renewal whose reply is lost does not lose the lease, and the
// lease is released under whatever id its record has.
func TestLostReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &faulty{Backend: memory.New()}
		store := checkpoint.New(f)
		l, err := lease.Acquire(t.Context(), store, "t", lease.Options{TTL: 9 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		f.set(func() { f.loseReply = func() bool { n++; return n%3 != 0 } })
		time.Sleep(time.Hour)
		if l.Context().Err() != nil {
			t.Fatalf("lost: %v", context.Cause(l.Context()))
		}
		f.set(func() { f.loseReply = func() bool { return true } })
		time.Sleep(3 * time.Second) // a renewal is applied and repeated
		if err := l.Release(t.Context()); err != nil {
			t.Errorf("Release = %v", err)
		}
		f.set(func() { f.loseReply = nil })
		again, err := lease.Acquire(t.Context(), store, "t", lease.Options{})
		if err != nil {
			t.Fatalf("after the release: %v", err)
		}
		again.Release(t.Context())
	})
}

// TestDatabaseAway: the context of a lease that cannot be renewed ends before another
// can acquire it, however long the driver takes to answer.
func TestDatabaseAway(t *testing.T) {
	for _, hang := range []time.Duration{0, time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			f := &faulty{Backend: memory.New()}
			store := checkpoint.New(f)
			start := time.Now()
			l, err := lease.Acquire(t.Context(), store, "t", lease.Options{TTL: 8 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			f.set(func() { f.away, f.hang = true, hang })
			<-l.Context().Done()
			if got := time.Since(start); got != 6*time.Second || context.Cause(l.Context()) != lease.ErrLost {
				t.Errorf("hanging %v: the context ended after %v for %v, want 6s and ErrLost", hang, got, context.Cause(l.Context()))
			}
			f.set(func() { f.away, f.hang = false, 0 })
			if hang < time.Hour {
				time.Sleep(3 * time.Second)
				other, err := lease.Acquire(t.Context(), store, "t", lease.Options{Owner: "other"})
				if err != nil {
					t.Fatalf("after the TTL: %v", err)
				}
				if err := l.Release(t.Context()); err != lease.ErrLost {
					t.Errorf("Release of a lost lease = %v", err)
				}
				if other.Context().Err() != nil {
					t.Error("the other's lease was lost")
				}
				time.Sleep(time.Minute)
				if err := other.Release(t.Context()); err != nil {
					t.Errorf("the other's Release = %v", err)
				}
			}
			l.Release(t.Context())
		})
	}
}

// TestTaken: a record that was removed under the holder ends the lease at its next
// renewal.
func TestTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := checkpoint.New(memory.New())
		l, err := lease.Acquire(t.Context(), store, "t", lease.Options{TTL: 9 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Namespace("agents..lease").Delete(t.Context(), "t"); err != nil {
			t.Fatal(err)
		}
		other, err := lease.Acquire(t.Context(), store, "t", lease.Options{})
		if err != nil {
			t.Fatal(err)
		}
		<-l.Context().Done()
		if err := l.Release(t.Context()); err != lease.ErrLost {
			t.Errorf("Release = %v", err)
		}
		if err := other.Release(t.Context()); err != nil {
			t.Errorf("the other's Release = %v", err)
		}
	})
}

// TestOneHolder: 10,000 acquisitions by workers whose clocks differ by two seconds, on
// a database that loses replies and goes away. When one acquires the lease, the
// contexts of all before have ended.
func TestOneHolder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		shared := memory.New()
		var mu sync.Mutex
		acquired, lost := 0, 0
		var before *lease.Lease
		var workers sync.WaitGroup
		for w := range 8 {
			random := rand.New(rand.NewPCG(seed, uint64(w)))
			skew := time.Duration(w%3-1) * time.Second
			f := &faulty{Backend: shared}
			losses := rand.New(rand.NewPCG(seed, uint64(w)+100))
			f.loseReply = func() bool { return losses.IntN(4) == 0 }
			store := checkpoint.New(f, checkpoint.WithClock(func() time.Time { return time.Now().Add(skew) }))
			workers.Go(func() {
				for {
					l, err := lease.Acquire(t.Context(), store, "t", lease.Options{Owner: fmt.Sprint(w), TTL: 9 * time.Second, Wait: true})
					if errors.Is(err, checkpoint.ErrUnavailable) {
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					acquired++
					over := acquired >= 10_000
					if before != nil && before.Context().Err() == nil {
						t.Errorf("acquisition %d: two hold the lease", acquired)
					}
					before = l
					mu.Unlock()
					work := time.Duration(random.IntN(1_000)) * time.Millisecond
					switch random.IntN(100) {
					case 0:
						work *= 20 // over several renewals
					case 1:
						work = time.Minute // the lease is lost
						f.set(func() { f.away = true })
					}
					select {
					case <-l.Context().Done():
						mu.Lock()
						lost++
						mu.Unlock()
					case <-time.After(work):
					}
					f.set(func() { f.away = false })
					l.Release(t.Context())
					if over {
						return
					}
				}
			})
		}
		workers.Wait()
		t.Logf("%d acquisitions, %d leases lost", acquired, lost)
		if lost == 0 {
			t.Error("no lease was lost: the faults did nothing")
		}
		time.Sleep(2 * time.Minute)
	})
}

package backends_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
)

// TestEnded: the error is the one that the context itself has or will have.
func TestEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		past := time.Now().Add(-time.Second)
		cancelled, cancel := context.WithDeadline(context.Background(), time.Now().Add(time.Millisecond))
		cancel()
		time.Sleep(2 * time.Millisecond)
		late, cancel := context.WithDeadline(context.Background(), past)
		defer cancel()
		for name, c := range map[string]struct {
			ctx  context.Context
			want error
		}{
			"Live":                     {context.Background(), nil},
			"CancelledThenPastItsTime": {cancelled, context.Canceled},
			"PastItsTime":              {late, context.DeadlineExceeded},
		} {
			if got := backends.Ended(c.ctx); got != c.want {
				t.Errorf("%s: Ended = %v, want %v", name, got, c.want)
			}
		}
	})
}

func TestClassified(t *testing.T) {
	t.Parallel()
	if !backends.Classified(fmt.Errorf("x: %w", &driver.ConflictError{})) || !backends.Classified(driver.ErrTooLarge) {
		t.Error("an error of package driver is not recognised")
	}
	if backends.Classified(errors.New("other")) || backends.Classified(context.Canceled) || backends.Classified(nil) {
		t.Error("another error is taken for one of package driver")
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for attempt := range 70 {
		got := backends.Backoff(attempt, 2*time.Millisecond, 250*time.Millisecond)
		whole := min(250*time.Millisecond, 2*time.Millisecond<<min(attempt, 20))
		if got < whole/2 || got > whole {
			t.Errorf("attempt %d: %v, want %v to %v", attempt, got, whole/2, whole)
		}
	}
}

func TestInflight(t *testing.T) {
	t.Parallel()
	released := 0
	f := backends.NewInflight(func() error { released++; return nil })
	if !f.Enter() {
		t.Fatal("closed from the start")
	}
	f.Close()
	if f.Enter() {
		t.Error("entered after Close")
	}
	f.Stay()
	f.Leave()
	if released != 0 {
		t.Error("released while an operation was under way")
	}
	f.Leave()
	f.Close()
	if released != 1 {
		t.Errorf("released %d times, want once", released)
	}
	select {
	case <-f.Closed():
	default:
		t.Error("Closed is open")
	}
}

// TestQueueOrder: at most n are inside, and the others follow in their order.
func TestQueueOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := backends.NewQueue(2, time.Minute)
		var inside, most atomic.Int64
		var mu sync.Mutex
		var order []int
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				if err := q.Enter(t.Context()); err != nil {
					t.Error(err)
					return
				}
				most.Store(max(most.Load(), inside.Add(1)))
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				time.Sleep(time.Second)
				inside.Add(-1)
				q.Leave(true)
			})
			synctest.Wait() // in their order
		}
		all.Wait()
		if most.Load() != 2 || len(order) != 50 {
			t.Errorf("%d at once and %d in all, want 2 and 50", most.Load(), len(order))
		}
		for i, got := range order {
			if got < i-1 || got > i+1 { // two are let in at a time
				t.Fatalf("order %v", order)
			}
		}
	})
}

// TestQueueWaits: a queue that moves keeps everybody, however long it takes; one
// that stands still lets go after its patience; an ended context leaves at once
// and takes no place with it.
func TestQueueWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := backends.NewQueue(1, 9*time.Second)
		if err := q.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 10)
		for range 10 {
			go func() {
				err := q.Enter(context.Background())
				if err == nil {
					time.Sleep(5 * time.Second)
					q.Leave(true)
				}
				served <- err
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.Enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an ended context: %v", err)
		}
		q.Leave(true)
		for range 10 { // the last one after 50 s
			if err := <-served; err != nil {
				t.Errorf("a queue that moves: %v", err)
			}
		}

		if err := q.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := q.Enter(t.Context()); err != backends.ErrStuck || time.Since(start) != 9*time.Second {
			t.Errorf("a queue that stands still: %v after %v", err, time.Since(start))
		}
		go func() {
			time.Sleep(5 * time.Second)
			q.Answered()
		}()
		start = time.Now()
		if err := q.Enter(t.Context()); err != backends.ErrStuck || time.Since(start) != 14*time.Second {
			t.Errorf("an operation that goes on: %v after %v", err, time.Since(start))
		}
		go func() { served <- q.Enter(t.Context()) }()
		synctest.Wait()
		q.Close()
		if err := <-served; err != backends.ErrQueueClosed {
			t.Errorf("closed: %v", err)
		}
		if err := q.Enter(t.Context()); err != backends.ErrQueueClosed {
			t.Errorf("closed before: %v", err)
		}
		q.Leave(false)
	})
}

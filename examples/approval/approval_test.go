package approval

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
)

func open(t *testing.T, dsn string) *checkpoint.Store {
	t.Helper()
	store, err := checkpoint.Open("memory", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func stage(t *testing.T, s *checkpoint.Store) string {
	t.Helper()
	p, _, err := checkpoint.Get[Payment](t.Context(), s, "payment-1")
	if err != nil {
		t.Fatal(err)
	}
	return p.Stage
}

func TestApproval(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	first := open(t, "memory:"+t.Name())
	if err := Propose(ctx, first, "payment-1", 100); err != nil {
		t.Fatal(err)
	}
	if err := Propose(ctx, first, "payment-1", 100); !errors.Is(err, checkpoint.ErrConflict) {
		t.Errorf("proposed twice: %v, want ErrConflict", err)
	}
	first.Close() // the process ends

	later := open(t, "memory:"+t.Name())
	var paid atomic.Int32
	pay := func(context.Context, Payment) error { paid.Add(1); return nil }
	if ok, err := Resume(ctx, later, "payment-1", pay); ok || err != nil {
		t.Errorf("resumed before the decision: %v, %v", ok, err)
	}
	if err := Decide(ctx, later, "payment-1", "ann", true); err != nil {
		t.Fatal(err)
	}
	if err := Decide(ctx, later, "payment-1", "bob", false); !errors.Is(err, ErrDecided) {
		t.Errorf("decided twice: %v, want ErrDecided", err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := Resume(ctx, later, "payment-1", pay); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := stage(t, later); got != Paid || paid.Load() != 1 {
		t.Errorf("%s, paid %d times, want %s and once", got, paid.Load(), Paid)
	}
}

// TestPayingFails: the workflow waits where it was, and the next worker goes on.
func TestPayingFails(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), open(t, "")
	if err := Propose(ctx, s, "payment-1", 100); err != nil {
		t.Fatal(err)
	}
	if err := Decide(ctx, s, "payment-1", "ann", true); err != nil {
		t.Fatal(err)
	}
	down := errors.New("the bank is closed")
	if _, err := Resume(ctx, s, "payment-1", func(context.Context, Payment) error { return down }); !errors.Is(err, down) {
		t.Errorf("Resume = %v, want %v", err, down)
	}
	if got := stage(t, s); got != Approved {
		t.Errorf("the payment is %s, want %s", got, Approved)
	}
	ok, err := Resume(ctx, s, "payment-1", func(context.Context, Payment) error { return nil })
	if !ok || err != nil || stage(t, s) != Paid {
		t.Errorf("Resume = %v, %v, the payment is %s", ok, err, stage(t, s))
	}
}

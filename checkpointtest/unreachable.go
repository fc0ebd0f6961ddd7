package checkpointtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// Unreachable adds the cases about a database that cannot be reached: open
// returns a handle whose server is gone, or does not answer.
func Unreachable(open func(t testing.TB) driver.Backend) Option {
	return func(s *suite) {
		s.unreachable = func(tb testing.TB) (driver.Backend, error) { return open(tb), nil }
	}
}

func unreachableCases() []testCase {
	return []testCase{
		{name: "Unreachable/Methods", run: unreachableMethods,
			rule: 11, text: "When the database cannot be reached every method returns ErrUnavailable within 10 s."},
		{name: "Unreachable/Deadline", run: unreachableDeadline,
			rule: 11, text: "A call returns within a second of the context's deadline, with an error that matches the context's or ErrUnavailable."},
		{name: "Unreachable/Cancel", run: unreachableCancel,
			rule: 11, text: "A call returns within a second of the context's cancellation, with an error that matches the context's or ErrUnavailable."},
		{name: "Unreachable/Close", run: unreachableClose,
			rule: 12, text: "Close waits for nothing, and after it every method returns ErrClosed."},
	}
}

// patience is what a machine may be late by, on top of what a rule allows.
const patience = 2 * time.Second

// openUnreachable is open for a backend whose database is out of reach.
func (t *trial) openUnreachable() *handle {
	b, err := t.suite.unreachable(t.tb)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handles = append(t.handles, b)
	return &handle{inner: b, t: t}
}

// allCalls makes every call at once, each with a context that end makes, and
// checks how long it takes after the time that end returns, and its error.
func (t *trial) allCalls(end func() (context.Context, context.CancelFunc, time.Time), limit time.Duration, allowed ...error) {
	b := t.openUnreachable()
	calls := t.calls(b, "thread")
	t.together(len(calls), func(i int) {
		ctx, cancel, from := end()
		defer cancel()
		err := calls[i].run(ctx, b)
		if took := time.Since(from); took > limit+patience {
			t.Errorf("%s returned after %v, want at most %v", calls[i].name, took.Round(time.Millisecond), limit)
		}
		for _, want := range allowed {
			if errors.Is(err, want) {
				return
			}
		}
		t.Errorf("%s: error %v, want one that matches %v", calls[i].name, err, allowed)
	})
	req := t.request("thread")
	ctx, cancel, _ := end()
	defer cancel()
	if info, err := b.Save(ctx, req); err != nil && (info.Key != req.Key || info.ID != req.ID) {
		t.Errorf("Save returned %+v with the error %v, want an Info with the Key and the ID %s", info, err, req.ID)
	}
}

func unreachableMethods(t *trial) {
	t.allCalls(func() (context.Context, context.CancelFunc, time.Time) {
		return t.ctx, func() {}, time.Now()
	}, 10*time.Second, driver.ErrUnavailable)
}

func unreachableDeadline(t *trial) {
	const wait = 300 * time.Millisecond
	t.allCalls(func() (context.Context, context.CancelFunc, time.Time) {
		ctx, cancel := context.WithTimeout(t.ctx, wait)
		return ctx, cancel, time.Now().Add(wait)
	}, time.Second, context.DeadlineExceeded, driver.ErrUnavailable)
}

func unreachableCancel(t *trial) {
	const wait = 300 * time.Millisecond
	t.allCalls(func() (context.Context, context.CancelFunc, time.Time) {
		ctx, cancel := context.WithCancel(t.ctx)
		timer := time.AfterFunc(wait, cancel)
		return ctx, func() { timer.Stop(); cancel() }, time.Now().Add(wait)
	}, time.Second, context.Canceled, driver.ErrUnavailable)
}

func unreachableClose(t *trial) {
	b := t.openUnreachable()
	calls := t.calls(b, "thread")
	t.together(len(calls)+1, func(i int) {
		if i < len(calls) {
			if err := calls[i].run(t.ctx, b); !errors.Is(err, driver.ErrUnavailable) && !errors.Is(err, driver.ErrClosed) {
				t.Errorf("%s during Close: error %v, want ErrUnavailable or ErrClosed", calls[i].name, err)
			}
			return
		}
		began := time.Now()
		b.Close() // whatever it returns: the server cannot be told
		if took := time.Since(began); took > patience {
			t.Errorf("Close took %v, want it to wait for nothing", took.Round(time.Millisecond))
		}
	})
	for _, call := range calls {
		if err := call.run(t.ctx, b); !errors.Is(err, driver.ErrClosed) {
			t.Errorf("%s after Close: error %v, want ErrClosed", call.name, err)
		}
	}
}

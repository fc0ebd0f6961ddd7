package checkpointtest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

func errorCases() []testCase {
	return []testCase{
		{name: "Raw/Errors/EndedContext", run: errorsEndedContext,
			rule: 11, text: "A context that had ended before the call means that nothing happened, and the error matches the context's."},
		{name: "Raw/Errors/SaveKeepsID", run: errorsSaveKeepsID,
			rule: 3, text: "The Info that Save returns with a context's error carries Key and ID."},
		{name: "Raw/Errors/IteratorOnce", run: errorsIteratorOnce,
			rule: 7, text: "An error is yielded once, with a zero Info, and ends the iteration."},
		{name: "Raw/Errors/UsableAfterwards", run: errorsUsableAfterwards,
			rule: 11, text: "Calls whose contexts end do no harm to those that follow on the same handle."},
		{name: "Raw/Errors/BehindWriters", alone: true, heavy: true, run: errorsBehindWriters,
			rule: 11, text: "A save that waits for other writers returns within a second of the end of its context."},
	}
}

// ended returns contexts that have ended, by name.
func (t *trial) ended() map[string]context.Context {
	cancelled, cancel := context.WithCancel(t.ctx)
	cancel()
	late, cancel := context.WithDeadline(t.ctx, time.Now().Add(-time.Second))
	cancel()
	return map[string]context.Context{
		"cancelled": cancelled, "past its deadline": late,
		"cancelled before its deadline, which has passed since": cancelledInTime{cancelled, time.Now().Add(-time.Minute)},
	}
}

// cancelledInTime is a context as it is found after a cancellation whose
// deadline has passed since: the error stays that of the cancellation.
type cancelledInTime struct {
	context.Context
	deadline time.Time
}

func (c cancelledInTime) Deadline() (time.Time, bool) { return c.deadline, true }

func errorsEndedContext(t *trial) {
	b := t.open()
	there := t.request("there")
	t.save(b, there)
	for what, ctx := range t.ended() {
		for _, thread := range []string{"there", "absent"} {
			for _, call := range t.calls(b, thread) {
				if err := call.run(ctx, b); !errors.Is(err, ctx.Err()) {
					t.Errorf("%s with a context that was %s: error %v, want one that matches %v", call.name, what, err, ctx.Err())
				}
			}
		}
	}
	t.latest(b, "there", 1, there.ID)
	t.missing(b, "absent", 0, t.now)
	t.names(b, driver.ListRequest{}, "there")
}

func errorsSaveKeepsID(t *trial) {
	b := t.open()
	for what, ctx := range t.ended() {
		req := t.request("thread")
		info, err := b.Save(ctx, req)
		if err == nil {
			continue // the business of another case
		}
		if info.Key != req.Key || info.ID != req.ID {
			t.Errorf("Save with a context that was %s returned %+v with the error %v, want an Info with the Key and the ID %s", what, info, err, req.ID)
		}
	}
}

func errorsIteratorOnce(t *trial) {
	b := t.open()
	t.grow(b, "thread", 3, 3)
	t.populate(b, numbered("more", 5)...)
	for _, ctx := range t.ended() {
		for _, call := range t.iterators(b, "thread") {
			call.run(ctx, b) // the error is the business of another case
		}
	}
	// A context that ends within the loop ends it, sooner or later, with one error.
	for name, iterate := range map[string]func(context.Context) iter.Seq2[driver.Info, error]{
		"List": func(ctx context.Context) iter.Seq2[driver.Info, error] {
			return b.List(ctx, driver.ListRequest{Namespace: t.namespace, Now: t.now})
		},
		"History": func(ctx context.Context) iter.Seq2[driver.Info, error] {
			return b.History(ctx, driver.HistoryRequest{Key: t.key("thread"), Now: t.now})
		},
	} {
		ctx, cancel := context.WithCancel(t.ctx)
		err := t.firstError(name, func(yield func(bool, error) bool) {
			for info, err := range iterate(ctx) {
				cancel()
				if !yield(err != nil && info.Version != 0, err) {
					return
				}
			}
		})
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s whose context was cancelled in the loop yielded error %v, want none or one that matches context.Canceled", name, err)
		}
	}
}

// errorsUsableAfterwards cancels calls before and at any moment of their course,
// on a handle that goes on being used.
func errorsUsableAfterwards(t *trial) {
	b := t.open()
	callers := t.often(8, 3)
	t.save(b, t.request("thread"))
	t.together(callers, func(i int) {
		for n := range 10 {
			ctx, cancel := context.WithCancel(t.ctx)
			timer := time.AfterFunc(time.Duration(n*n)*20*time.Microsecond, cancel)
			if n == 0 {
				cancel()
			}
			for _, call := range t.calls(b, fmt.Sprint("cancelled-", i)) {
				if call.name == "Purge" || call.name == "Collect" {
					continue // it would remove what others are about, or read all of it again and again
				}
				err := call.run(ctx, b)
				if err != nil && ctx.Err() == nil && !errors.Is(err, driver.ErrNotFound) && !errors.Is(err, driver.ErrConflict) && !errors.Is(err, context.Canceled) {
					t.Errorf("%s: error %v, want one of the context or none", call.name, err)
				}
			}
			timer.Stop()
			cancel()
		}
	})
	req := t.request("thread")
	if got := t.save(b, req); got.Version != 2 {
		t.Errorf("Save after many cancelled calls returned %s, want version 2", show(got))
	}
	// A save whose context ended may be on its way still, and arrive behind a
	// deletion.
	for i := range callers {
		thread := fmt.Sprint("cancelled-", i)
		soon(func() bool {
			t.save(b, t.request(thread))
			t.remove(b, thread)
			_, err := b.Load(t.ctx, driver.LoadRequest{Key: t.key(thread), Now: t.now})
			return errors.Is(err, driver.ErrNotFound)
		})
	}
	soon(func() bool {
		left := namesOf(t.listed(b, driver.ListRequest{Prefix: "cancelled-"}))
		for _, thread := range left {
			t.remove(b, thread)
		}
		return len(left) == 0
	})
	t.names(b, driver.ListRequest{}, "thread")
}

// soon repeats what is done until it reports true, for a few seconds.
func soon(done func() bool) { within(3*time.Second, done) }

// within repeats what is done until it reports true, for no longer than limit.
func within(limit time.Duration, done func() bool) {
	for start := time.Now(); !done() && time.Since(start) < limit; {
		time.Sleep(20 * time.Millisecond)
	}
}

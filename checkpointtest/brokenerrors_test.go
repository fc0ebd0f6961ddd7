package checkpointtest_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
)

var brokenErrors = []brokenBackend{
	{name: "Delete of an absent thread is an error", fails: "Raw/Errors/DeleteAbsent",
		fault: each(func(f *faulty) {
			f.remove = func(ctx context.Context, req driver.DeleteRequest) error {
				absent := ctx.Err() == nil && f.latest(ctx, req.Key, time.Time{}).ID == ""
				if err := f.full.Delete(ctx, req); err != nil || !absent {
					return err
				}
				return driver.ErrNotFound
			}
		})},
	{name: "Save does not look at its context", fails: "Raw/Errors/EndedContext",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				return f.full.Save(context.WithoutCancel(ctx), req)
			}
		})},
	{name: "a context that ended is unavailability", fails: "Raw/Errors/EndedContext",
		fault: each(func(f *faulty) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				c, err := f.full.Load(ctx, req)
				if err != nil && errors.Is(err, ctx.Err()) {
					err = driver.ErrUnavailable
				}
				return c, err
			}
		})},
	{name: "Save forgets the id when it fails", fails: "Raw/Errors/SaveKeepsID",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				info, err := f.full.Save(ctx, req)
				if err != nil {
					info = driver.Info{}
				}
				return info, err
			}
		})},
	{name: "an error is yielded until the loop stops", fails: "Raw/Errors/IteratorOnce",
		fault: each(func(f *faulty) {
			f.history = func(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
				return func(yield func(driver.Info, error) bool) {
					for info, err := range f.full.History(ctx, req) {
						if !yield(info, err) || err != nil && ctx.Err() != nil && !errors.Is(err, driver.ErrClosed) && !yield(info, err) {
							return
						}
					}
				}
			}
		})},
	{name: "a cancelled call breaks the handle", fails: "Raw/Errors/UsableAfterwards",
		fault: each(func(f *faulty) {
			var cancelled atomic.Int64
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				if ctx.Err() != nil {
					cancelled.Add(1)
				}
				return f.full.Load(ctx, req)
			}
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if ctx.Err() == nil && cancelled.Load() > 4 {
					return driver.Info{Key: req.Key, ID: req.ID}, driver.ErrUnavailable
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "saves wait for the writer's lock and not for their contexts", fails: "Raw/Errors/BehindWriters", only: []string{"Raw/Errors/BehindWriters"},
		fault: writingSlowly(func(_ context.Context, writing chan struct{}) error {
			writing <- struct{}{}
			return nil
		})},
	{name: "Delete works after Close", fails: "Raw/Closed/Methods",
		fault: func() func(*faulty) {
			return func(f *faulty) {
				var closed atomic.Bool
				f.close = func() error { closed.Store(true); return f.full.Close() }
				f.remove = func(ctx context.Context, req driver.DeleteRequest) error {
					if closed.Load() {
						return nil
					}
					return f.full.Delete(ctx, req)
				}
			}
		}},
	{name: "the context's error comes before ErrClosed", fails: "Raw/Closed/Methods",
		fault: each(func(f *faulty) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				if err := ctx.Err(); err != nil {
					return driver.Checkpoint{}, err
				}
				return f.full.Load(ctx, req)
			}
		})},
	{name: "a list after Close is empty", fails: "Raw/Closed/Iterators",
		fault: each(func(f *faulty) {
			var closed atomic.Bool
			f.close = func() error { closed.Store(true); return f.full.Close() }
			f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
				return func(yield func(driver.Info, error) bool) {
					if !closed.Load() {
						f.full.List(ctx, req)(yield)
					}
				}
			}
		})},
	{name: "Close may be called once", fails: "Raw/Closed/Twice",
		fault: each(func(f *faulty) {
			var closed atomic.Bool
			f.close = func() error {
				if closed.Swap(true) {
					return driver.ErrClosed
				}
				return f.full.Close()
			}
		})},
	{name: "an operation during Close fails in another way", fails: "Raw/Closed/DuringOperations",
		fault: each(func(f *faulty) {
			var busy atomic.Int64
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				busy.Add(1)
				defer busy.Add(-1)
				info, err := f.full.Save(ctx, req)
				if errors.Is(err, driver.ErrClosed) && ctx.Err() == nil && strings.HasPrefix(req.Thread, "thread-") {
					err = driver.ErrUnavailable
				}
				return info, err
			}
		})},
	{name: "a list during which the backend is closed just ends", fails: "Raw/Closed/DuringIteration",
		fault: each(func(f *faulty) {
			var closed atomic.Bool
			f.close = func() error { closed.Store(true); return f.full.Close() }
			f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
				return func(yield func(driver.Info, error) bool) {
					began := !closed.Load()
					for info, err := range f.full.List(ctx, req) {
						if began && closed.Load() || !yield(info, err) {
							return
						}
					}
				}
			}
		})},
	{name: "a handle leaves a goroutine", fails: "Raw/Concurrency/Goroutines", only: []string{"Raw/Concurrency/Goroutines"},
		withTest: func(t *testing.T) fault {
			over := make(chan struct{})
			t.Cleanup(func() { close(over) })
			return each(func(*faulty) { go func() { <-over }() })
		}},
}

// writingSlowly is a database that takes one large save at a time, and some time for it.
// take waits for the turn of a save, unless its context ends.
func writingSlowly(take func(ctx context.Context, writing chan struct{}) error) fault {
	return func() func(*faulty) {
		writing := make(chan struct{}, 1)
		return func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if len(req.Payload) < 64<<10 {
					return f.full.Save(ctx, req)
				}
				if err := take(ctx, writing); err != nil {
					return driver.Info{Key: req.Key, ID: req.ID}, err
				}
				defer func() { <-writing }()
				time.Sleep(30 * time.Millisecond)
				return f.full.Save(ctx, req)
			}
		}
	}
}

// TestBehindWriters: a database that takes one save at a time passes where saves leave
// the line when their contexts end.
func TestBehindWriters(t *testing.T) {
	t.Parallel()
	right := writingSlowly(func(ctx context.Context, writing chan struct{}) error {
		select {
		case writing <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	report := checkpointtest.Verify(t.Context(), right.opener(), checkpointtest.Cases(func(name string) bool { return name == "Raw/Errors/BehindWriters" }))
	if r := report.Results[0]; r.Outcome != checkpointtest.Passed || r.Note != "" {
		t.Errorf("%s: %s, with the note %q, want it to be tried and to pass\n%s", r.Case, r.Outcome, r.Note, r.Reason)
	}
}

package checkpointtest

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/go-ckpt/checkpoint/driver"
)

func closedCases() []testCase {
	return []testCase{
		{name: "Raw/Closed/Methods", run: closedMethods,
			rule: 12, text: "After Close every method returns ErrClosed, before any other error."},
		{name: "Raw/Closed/Iterators", run: closedIterators,
			rule: 12, text: "An iterator of a closed backend yields ErrClosed once, also one made before Close."},
		{name: "Raw/Closed/Twice", run: closedTwice,
			rule: 12, text: "Close may be called again, and other handles go on."},
		{name: "Raw/Closed/DuringOperations", run: closedDuringOperations,
			rule: 12, text: "Close waits for nothing; operations under way finish or return ErrClosed."},
		{name: "Raw/Closed/DuringIteration", run: closedDuringIteration,
			rule: 12, text: "A loop during which the backend is closed finishes or yields ErrClosed once."},
	}
}

func closedMethods(t *trial) {
	b := t.open()
	if err := b.Ping(t.ctx); err != nil {
		t.Fatalf("Ping: %v", err)
	}
	calls := t.calls(b, "thread")
	if err := b.Close(); err != nil {
		t.Fatalf("Close: error %v, want nil", err)
	}
	contexts := t.ended()
	contexts["alive"] = t.ctx
	for what, ctx := range contexts {
		for _, call := range calls {
			if slices.Contains([]string{"List", "History", "Namespaces", "Versions"}, call.name) {
				continue // see closedIterators
			}
			if err := call.run(ctx, b); !errors.Is(err, driver.ErrClosed) {
				t.Errorf("%s after Close, with a context that is %s: error %v, want ErrClosed", call.name, what, err)
			}
		}
	}
	t.missing(t.open(), "thread", 0, t.now)
}

func closedIterators(t *trial) {
	b := t.open()
	t.grow(b, "thread", 3, 3)
	list := b.List(t.ctx, driver.ListRequest{Namespace: t.namespace, Now: t.now})
	history := b.History(t.ctx, driver.HistoryRequest{Key: t.key("thread"), Now: t.now})
	calls := t.iterators(b, "thread")
	if err := b.Close(); err != nil {
		t.Fatalf("Close: error %v, want nil", err)
	}
	for name, infos := range map[string]iter.Seq2[driver.Info, error]{"List": list, "History": history} {
		if err := t.firstError(name, infoErrors(infos)); !errors.Is(err, driver.ErrClosed) {
			t.Errorf("%s made before Close yielded error %v, want ErrClosed", name, err)
		}
	}
	contexts := t.ended()
	contexts["alive"] = t.ctx
	for what, ctx := range contexts {
		for _, call := range calls {
			if err := call.run(ctx, b); !errors.Is(err, driver.ErrClosed) {
				t.Errorf("%s after Close, with a context that is %s, yielded error %v, want ErrClosed", call.name, what, err)
			}
		}
	}
}

func closedTwice(t *trial) {
	unused, b, other := t.open(), t.open(), t.open()
	t.save(b, t.request("thread"))
	t.load(other, "thread")
	for range 3 {
		for _, b := range []*handle{unused, b} {
			if err := b.Close(); err != nil {
				t.Errorf("Close: error %v, want nil", err)
			}
		}
	}
	t.load(other, "thread")
	t.save(other, t.request("thread"))
}

func closedDuringOperations(t *trial) {
	for range t.often(5, 2) {
		b := t.open()
		t.save(b, t.request("shared"))
		t.together(9, func(i int) {
			if i == 0 {
				if err := b.Close(); err != nil {
					t.Errorf("Close: error %v, want nil", err)
				}
				return
			}
			for n := 0; ; n++ {
				_, err := b.Save(t.ctx, t.request(fmt.Sprintf("thread-%d", i)))
				if err == nil {
					_, err = b.Load(t.ctx, driver.LoadRequest{Key: t.key("shared"), Now: t.now})
				}
				if errors.Is(err, driver.ErrClosed) {
					return
				}
				if err != nil || n > 10_000 {
					t.Errorf("an operation during Close: error %v after %d rounds, want none or ErrClosed", err, n)
					return
				}
			}
		})
	}
	// Whatever was under way is there entirely or not at all.
	b := t.open()
	for _, info := range t.listed(b, driver.ListRequest{}) {
		t.latest(b, info.Thread, info.Version, info.ID)
	}
}

func closedDuringIteration(t *trial) {
	t.populate(t.open(), numbered("thread", 30)...)
	b := t.open()
	n := 0
	err := t.firstError("List", func(yield func(bool, error) bool) {
		for info, err := range b.List(t.ctx, driver.ListRequest{Namespace: t.namespace, Now: t.now}) {
			if n++; n == 5 {
				b.Close()
			}
			if !yield(err != nil && info.Version != 0, err) {
				return
			}
		}
	})
	if err != nil && !errors.Is(err, driver.ErrClosed) {
		t.Errorf("List during which the backend was closed yielded error %v, want none or ErrClosed", err)
	}
	if err == nil && n != 30 {
		t.Errorf("List during which the backend was closed yielded %d of 30 threads and no error", n)
	}
}

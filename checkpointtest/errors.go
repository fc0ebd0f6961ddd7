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
		{name: "Raw/Errors/DeleteAbsent", run: errorsDeleteAbsent,
			rule: 2, text: "Delete of an absent thread returns nil."},
		{name: "Raw/Errors/EndedContext", run: errorsEndedContext,
			rule: 11, text: "A context that had ended before the call means that nothing happened, and the error matches the context's."},
		{name: "Raw/Errors/SaveKeepsID", run: errorsSaveKeepsID,
			rule: 3, text: "The Info that Save returns with a context's error carries Key and ID."},
		{name: "Raw/Errors/IteratorOnce", run: errorsIteratorOnce,
			rule: 7, text: "An error is yielded once, with a zero Info, and ends the iteration."},
		{name: "Raw/Errors/UsableAfterwards", run: errorsUsableAfterwards,
			rule: 11, text: "Calls whose contexts end do no harm to those that follow on the same handle."},
		{name: "Raw/Errors/BehindWriters", alone: true, run: errorsBehindWriters,
			rule: 11, text: "A save that waits for other writers returns within a second of the end of its context."},
	}
}

func errorsDeleteAbsent(t *trial) {
	b := t.open()
	t.missing(b, "never there", 0, t.now)
	for range 2 {
		if err := b.Delete(t.ctx, driver.DeleteRequest{Key: t.key("never there")}); err != nil {
			t.Errorf("Delete of a thread that never was: error %v, want nil", err)
		}
	}
	t.save(b, t.request("thread"))
	for range 2 {
		if err := b.Delete(t.ctx, driver.DeleteRequest{Key: t.key("thread")}); err != nil {
			t.Errorf("Delete: error %v, want nil", err)
		}
	}
}

// A call is one method of a backend with arguments that would succeed.
type call struct {
	name string
	run  func(context.Context, *handle) error
}

// calls returns every method of a backend but Close, with those of the optional
// interfaces that it has. What they would write is in the thread given.
func (t *trial) calls(b *handle, thread string) []call {
	calls := []call{
		{"Ping", func(ctx context.Context, b *handle) error { return b.Ping(ctx) }},
		{"Save", func(ctx context.Context, b *handle) error {
			_, err := b.Save(ctx, t.request(thread))
			return err
		}},
		{"Load", func(ctx context.Context, b *handle) error {
			_, err := b.Load(ctx, driver.LoadRequest{Key: t.key(thread), Now: t.now})
			return err
		}},
		{"Delete", func(ctx context.Context, b *handle) error {
			return b.Delete(ctx, driver.DeleteRequest{Key: t.key(thread)})
		}},
		{"List", func(ctx context.Context, b *handle) error {
			return firstOf(infoErrors(b.List(ctx, driver.ListRequest{Namespace: t.namespace, Now: t.now})))
		}},
		{"History", func(ctx context.Context, b *handle) error {
			return firstOf(infoErrors(b.History(ctx, driver.HistoryRequest{Key: t.key(thread), Now: t.now})))
		}},
	}
	if _, ok := b.inner.(driver.Purger); ok {
		calls = append(calls, call{"Purge", func(ctx context.Context, b *handle) error {
			_, err := b.Purge(ctx, t.namespace, t.now.AddDate(100, 0, 0))
			return err
		}})
	}
	if _, ok := b.inner.(driver.Collector); ok {
		calls = append(calls, call{"Collect", func(ctx context.Context, b *handle) error {
			_, err := b.Collect(ctx, driver.CollectRequest{DryRun: true})
			return err
		}})
	}
	if _, ok := b.inner.(driver.Importer); ok {
		calls = append(calls, call{"Import", func(ctx context.Context, b *handle) error {
			return b.Import(ctx, t.importRequest(thread, 7))
		}})
	}
	if _, ok := b.inner.(driver.Rewriter); ok {
		calls = append(calls, call{"Rewrite", func(ctx context.Context, b *handle) error {
			return b.Rewrite(ctx, driver.RewriteRequest{Key: t.key(thread), Version: 1, ID: "any", Payload: []byte("rewritten"), Encoding: "bytes", Now: t.now})
		}})
	}
	if _, ok := b.inner.(driver.NamespaceLister); ok {
		calls = append(calls, call{"Namespaces", func(ctx context.Context, b *handle) error {
			return firstOf(nameErrors(b.Namespaces(ctx)))
		}})
	}
	if _, ok := b.inner.(driver.Finder); ok {
		calls = append(calls, call{"Find", func(ctx context.Context, b *handle) error {
			_, err := b.Find(ctx, driver.FindRequest{Key: t.key(thread), ID: "any", Now: t.now})
			return err
		}})
	}
	if _, ok := b.inner.(driver.VersionReader); ok {
		calls = append(calls, call{"Versions", func(ctx context.Context, b *handle) error {
			return firstOf(versionErrors(b.Versions(ctx, driver.VersionsRequest{Key: t.key(thread), Now: t.now})))
		}})
	}
	if _, ok := b.inner.(driver.PrefixDeleter); ok {
		calls = append(calls, call{"DeletePrefix", func(ctx context.Context, b *handle) error {
			_, err := b.DeletePrefix(ctx, driver.DeletePrefixRequest{Namespace: t.namespace, Prefix: thread, Now: t.now})
			return err
		}})
	}
	return calls
}

// infoErrors and the others reduce an iterator to whether it yielded more than
// an error, and the error.
func infoErrors(infos iter.Seq2[driver.Info, error]) iter.Seq2[bool, error] {
	return func(yield func(bool, error) bool) {
		for info, err := range infos {
			if !yield(info.Version != 0 || info.Thread != "" || info.ID != "", err) {
				return
			}
		}
	}
}

func versionErrors(versions iter.Seq2[driver.Checkpoint, error]) iter.Seq2[bool, error] {
	return func(yield func(bool, error) bool) {
		for c, err := range versions {
			if !yield(c.Version != 0 || c.ID != "", err) {
				return
			}
		}
	}
}

func nameErrors(names iter.Seq2[string, error]) iter.Seq2[bool, error] {
	return func(yield func(bool, error) bool) {
		for name, err := range names {
			if !yield(name != "", err) {
				return
			}
		}
	}
}

// firstOf returns the first error of a loop.
func firstOf(items iter.Seq2[bool, error]) error {
	for _, err := range items {
		if err != nil {
			return err
		}
	}
	return nil
}

// iterators returns every iterator of a backend, run to its end and checked by
// firstError.
func (t *trial) iterators(b *handle, thread string) []call {
	calls := []call{
		{"List", func(ctx context.Context, b *handle) error {
			return t.firstError("List", infoErrors(b.List(ctx, driver.ListRequest{Namespace: t.namespace, Now: t.now})))
		}},
		{"History", func(ctx context.Context, b *handle) error {
			return t.firstError("History", infoErrors(b.History(ctx, driver.HistoryRequest{Key: t.key(thread), Now: t.now})))
		}},
	}
	if _, ok := b.inner.(driver.NamespaceLister); ok {
		calls = append(calls, call{"Namespaces", func(ctx context.Context, b *handle) error {
			return t.firstError("Namespaces", nameErrors(b.Namespaces(ctx)))
		}})
	}
	if _, ok := b.inner.(driver.VersionReader); ok {
		calls = append(calls, call{"Versions", func(ctx context.Context, b *handle) error {
			return t.firstError("Versions", versionErrors(b.Versions(ctx, driver.VersionsRequest{Key: t.key(thread), Now: t.now})))
		}})
	}
	return calls
}

// firstError runs a loop to its end and returns the error that it yielded. An
// error that is not alone, or not the end, is a failure.
func (t *trial) firstError(name string, items iter.Seq2[bool, error]) error {
	var first error
	after := 0
	for value, err := range items {
		switch {
		case first != nil:
			after++
		case err != nil && value:
			t.Errorf("%s yielded the error %v together with a value, want the zero value", name, err)
		}
		if first == nil {
			first = err
		}
	}
	if after > 0 {
		t.Errorf("%s yielded %d times more after the error %v, want the end", name, after, first)
	}
	return first
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
	t.save(b, t.request("thread"))
	t.together(8, func(i int) {
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
	for i := range 8 {
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

package checkpointtest

import (
	"context"
	"iter"

	"github.com/go-ckpt/checkpoint/driver"
)

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

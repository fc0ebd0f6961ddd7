// Package bbolt is a driver for go.etcd.io/bbolt, a database of keys and values in
// one file: an example of a whole driver that somebody else writes, on public packages
// alone. It has every optional interface, passes the conformance suite, and is built
// into a command of its own in cmd/checkpoint-bbolt.
//
//	store, err := checkpoint.Open("bbolt", "agents.bolt")
//	store, err := checkpoint.OpenURL("bbolt:agents.bolt?sync=false&ttl=24h")
//
// The word sync=false leaves out fsync, for data that may be lost with the machine.
// Where the handles of a process differ in it, the first one's counts.
//
// bbolt locks its file for one process, and a second opening in the same process
// would wait for the first. So the handles of a process share one database, by the
// file's path. Another process waits 5 seconds and is told driver.ErrUnavailable.
package bbolt

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

func init() { checkpoint.Register("bbolt", new(Driver)) }

// A Driver opens bbolt files, each once. The zero value is ready to use.
type Driver struct {
	mu    sync.Mutex
	files map[string]*file // by absolute path
}

// A backend is one handle.
type backend struct {
	driver *Driver
	path   string
	sync   bool

	closed atomic.Bool
	mu     sync.Mutex // over the first use, and Close
	file   *file      // nil before the first use
}

// view runs f in a transaction that reads. f MUST NOT keep what it is given, which
// is memory of the database's own.
func (b *backend) view(ctx context.Context, f func(tx) error) error {
	return b.run(ctx, func(db *bolt.DB) error { return db.View(within(f)) })
}

// update runs f in a transaction that writes, and is undone if f fails.
func (b *backend) update(ctx context.Context, f func(tx) error) error {
	return b.run(ctx, func(db *bolt.DB) error {
		select { // bbolt waits for its own lock without a context
		case b.file.writing <- struct{}{}:
			defer func() { <-b.file.writing }()
		case <-ctx.Done():
			return ctx.Err()
		}
		if b.closed.Load() {
			return driver.ErrClosed
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return db.Update(within(f))
	})
}

// run runs one operation on the open database.
func (b *backend) run(ctx context.Context, operate func(*bolt.DB) error) error {
	b.mu.Lock()
	if b.closed.Load() {
		b.mu.Unlock()
		return driver.ErrClosed
	}
	if b.file == nil {
		b.file = b.driver.share(b.path, b.sync)
	}
	b.file.running.Add(1)
	b.mu.Unlock()
	defer b.file.running.Done()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.file.open(ctx); err != nil {
		return err
	}
	return classified(operate(b.file.db))
}

// Close implements driver.Backend. The operations under way go on; the last one
// closes the file.
func (b *backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed.Swap(true) && b.file != nil {
		b.driver.leave(b.file)
	}
	return nil
}

// Location implements driver.Locator.
func (b *backend) Location() driver.Location { return driver.Location{File: b.path} }

// read runs f in a transaction that reads, and returns what it returns.
func read[T any](ctx context.Context, b *backend, f func(tx) (T, error)) (result T, err error) {
	err = b.view(ctx, func(t tx) (err error) {
		result, err = f(t)
		return err
	})
	return result, err
}

// Ping implements driver.Backend.
func (b *backend) Ping(ctx context.Context) error {
	return b.view(ctx, func(tx) error { return nil })
}

// Load implements driver.Backend.
func (b *backend) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	return read(ctx, b, func(t tx) (driver.Checkpoint, error) { return t.load(req) })
}

// Find implements driver.Finder.
func (b *backend) Find(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
	return read(ctx, b, func(t tx) (driver.Info, error) { return t.find(req) })
}

// Save implements driver.Backend.
func (b *backend) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	return b.SavePatch(ctx, driver.PatchRequest{SaveRequest: req})
}

// SavePatch implements driver.Patcher. A patch whose Base is 0 is a whole state.
func (b *backend) SavePatch(ctx context.Context, req driver.PatchRequest) (info driver.Info, err error) {
	err = b.update(ctx, func(t tx) (err error) {
		info, err = t.save(req)
		return err
	})
	if err != nil {
		return driver.Info{Key: req.Key, ID: req.ID}, err
	}
	return info, nil
}

// Delete implements driver.Backend.
func (b *backend) Delete(ctx context.Context, req driver.DeleteRequest) error {
	return b.update(ctx, func(t tx) error { return t.remove(req) })
}

// Import implements driver.Importer.
func (b *backend) Import(ctx context.Context, req driver.ImportRequest) error {
	return b.update(ctx, func(t tx) error { return t.take(req) })
}

// Rewrite implements driver.Rewriter.
func (b *backend) Rewrite(ctx context.Context, req driver.RewriteRequest) error {
	return b.update(ctx, func(t tx) error { return t.rewrite(req) })
}

// List implements driver.Backend.
func (b *backend) List(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	return infos(pages(ctx, b, func() pager { return listing(req) }))
}

// History implements driver.Backend.
func (b *backend) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	return infos(pages(ctx, b, func() pager { return history(req) }))
}

// Versions implements driver.VersionReader.
func (b *backend) Versions(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	return pages(ctx, b, func() pager { return versions(req) })
}

// Namespaces implements driver.NamespaceLister.
func (b *backend) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for from := ""; ; {
			name, err := read(ctx, b, func(t tx) (string, error) { return t.namespace(from), nil })
			if name == "" && err == nil || !yield(name, err) || err != nil {
				return
			}
			from = name + "\x01"
		}
	}
}

// Purge implements driver.Purger.
func (b *backend) Purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	return b.sweep(ctx, namespace, "", now, true)
}

// DeletePrefix implements driver.PrefixDeleter.
func (b *backend) DeletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	return b.sweep(ctx, req.Namespace, req.Prefix, req.Now, false)
}

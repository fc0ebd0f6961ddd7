package memory

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/driver/dsn"
)

func init() { checkpoint.Register("memory", new(Driver)) }

// A Driver opens in-process stores and owns those that have a name: backends
// share a named store when the same Driver opened them. The zero value is
// ready to use, and one of it is registered as "memory".
type Driver struct {
	mu    sync.Mutex
	named map[string]*store
}

// validName matches the names that a shared store can have.
var validName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// Open implements driver.Driver.
func (d *Driver) Open(name string) (driver.Backend, error) {
	base, query := dsn.Split(name)
	words, err := dsn.Parse(query)
	if err != nil {
		return nil, err
	}
	if err := words.Done(); err != nil {
		return nil, err
	}
	if base == "" || base == "memory:" {
		return New(), nil
	}
	shared, ok := strings.CutPrefix(base, "memory:")
	if !ok || !validName.MatchString(shared) {
		return nil, fmt.Errorf(`%w DSN: want "" for a private store or "memory:NAME" for a shared one, where NAME is 1 to 128 of A-Z a-z 0-9 . _ -`,
			driver.ErrInvalid)
	}
	return newBackend(d.store(shared), false), nil
}

// ExampleDSN implements driver.Exampler.
func (*Driver) ExampleDSN(name string) string { return name + ":NAME" }

// store returns the store of that name, a new one if there is none.
func (d *Driver) store(name string) *store {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.named[name]
	if !ok {
		if d.named == nil {
			d.named = make(map[string]*store)
		}
		s = new(store)
		d.named[name] = s
	}
	return s
}

// New returns a backend on a new private store.
func New() driver.Backend { return newBackend(new(store), true) }

// A backend is one handle on a store. Closing it leaves the store, and other
// handles on it, as they are.
type backend struct {
	store   atomic.Pointer[store] // nil once closed
	private bool                  // no other handle is on the store
}

var (
	_ driver.Backend         = (*backend)(nil)
	_ driver.Purger          = (*backend)(nil)
	_ driver.Importer        = (*backend)(nil)
	_ driver.NamespaceLister = (*backend)(nil)
	_ driver.Rewriter        = (*backend)(nil)
	_ driver.Finder          = (*backend)(nil)
	_ driver.VersionReader   = (*backend)(nil)
	_ driver.PrefixDeleter   = (*backend)(nil)
	_ driver.Patcher         = (*backend)(nil)
	_ driver.Locator         = (*backend)(nil)
	_ driver.Exampler        = (*Driver)(nil)
)

func newBackend(s *store, private bool) *backend {
	b := &backend{private: private}
	b.store.Store(s)
	return b
}

// Location implements driver.Locator.
func (b *backend) Location() driver.Location {
	return driver.Location{Memory: true, Private: b.private}
}

// begin starts every operation. A closed backend is reported before anything
// else, and a context that has ended means that nothing happens.
func (b *backend) begin(ctx context.Context) (*store, error) {
	s := b.store.Load()
	if s == nil {
		return nil, driver.ErrClosed
	}
	return s, ctx.Err()
}

// Ping implements driver.Backend. There is nothing to prepare.
func (b *backend) Ping(ctx context.Context) error {
	_, err := b.begin(ctx)
	return err
}

// Save implements driver.Backend.
func (b *backend) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	s, err := b.begin(ctx)
	if err != nil {
		return driver.Info{Key: req.Key, ID: req.ID}, err
	}
	return s.save(driver.PatchRequest{SaveRequest: req})
}

// SavePatch implements driver.Patcher.
func (b *backend) SavePatch(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
	s, err := b.begin(ctx)
	if err != nil {
		return driver.Info{Key: req.Key, ID: req.ID}, err
	}
	return s.save(req)
}

// Load implements driver.Backend.
func (b *backend) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	s, err := b.begin(ctx)
	if err != nil {
		return driver.Checkpoint{}, err
	}
	return s.load(req)
}

// Delete implements driver.Backend.
func (b *backend) Delete(ctx context.Context, req driver.DeleteRequest) error {
	s, err := b.begin(ctx)
	if err != nil {
		return err
	}
	return s.remove(req)
}

// Import implements driver.Importer.
func (b *backend) Import(ctx context.Context, req driver.ImportRequest) error {
	s, err := b.begin(ctx)
	if err != nil {
		return err
	}
	return s.importCheckpoint(req)
}

// Rewrite implements driver.Rewriter.
func (b *backend) Rewrite(ctx context.Context, req driver.RewriteRequest) error {
	s, err := b.begin(ctx)
	if err != nil {
		return err
	}
	return s.rewrite(req)
}

// Purge implements driver.Purger.
func (b *backend) Purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	return b.purge(ctx, namespace, now)
}

// DeletePrefix implements driver.PrefixDeleter.
func (b *backend) DeletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	return b.deletePrefix(ctx, req)
}

// List implements driver.Backend.
func (b *backend) List(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	return b.list(ctx, req)
}

// History implements driver.Backend.
func (b *backend) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	return b.history(ctx, req)
}

// Versions implements driver.VersionReader.
func (b *backend) Versions(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	return b.versions(ctx, req)
}

// Namespaces implements driver.NamespaceLister.
func (b *backend) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	return b.namespaces(ctx)
}

// Find implements driver.Finder.
func (b *backend) Find(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
	s, err := b.begin(ctx)
	if err != nil {
		return driver.Info{}, err
	}
	return s.find(req)
}

// Close implements driver.Backend.
func (b *backend) Close() error {
	b.store.Store(nil)
	return nil
}

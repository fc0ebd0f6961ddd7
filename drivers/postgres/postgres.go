package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

func init() {
	checkpoint.Register("postgres", Driver{})
	checkpoint.Register("postgresql", Driver{})
}

// A Driver opens backends by DSN. It is registered as "postgres" and as
// "postgresql".
type Driver struct{}

// Open implements driver.Driver.
func (Driver) Open(dsn string) (driver.Backend, error) {
	cfg, err := ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	c, err := newConnector(cfg.server, cfg.prepare())
	if err != nil {
		return nil, fmt.Errorf("%w DSN: lib/pq refuses it", driver.ErrInvalid)
	}
	b := newBackend(nil, cfg)
	b.pool = newPool(c, b.cfg.MaxConnections, b.cfg.MinConnections)
	b.db = b.pool.db
	return b, nil
}

// ExampleDSN implements driver.Exampler.
func (Driver) ExampleDSN(name string) string { return name + "://user@localhost/agents?history=20" }

// New returns a backend on a pool that the caller owns and closes: of lib/pq,
// of pgx, of any database/sql driver for PostgreSQL whose errors have a method
// SQLState. Of cfg it uses Table and NoMigrate. A configuration that cannot be
// used makes every operation return an error that matches driver.ErrInvalid.
//
// How soon an operation returns after its context has ended, and after how long
// a silent server is unavailable, depends on that driver then: lib/pq waits for
// the network, pgx does not. See "Round trips" in the package's documentation
// for what statements cost.
func New(db *sql.DB, cfg Config) driver.Backend { return newBackend(db, cfg) }

func newBackend(db *sql.DB, cfg Config) *backend {
	b := &backend{db: db, cfg: cfg.withDefaults(), bad: cfg.check()}
	b.table, _ = parseTable(b.cfg.Table)
	return b
}

// A backend is a pool of connections and what is known of the database.
type backend struct {
	db     *sql.DB
	pool   *pool // nil when the caller owns the pool
	cfg    Config
	table  table
	bad    error        // of the configuration
	logger *slog.Logger // of SetLogger
	warned struct{ unverified, policies sync.Once }

	schema    atomic.Pointer[schema] // nil until the database was found ready
	chains    atomic.Int64           // how many loads ask for chains at once
	contended atomic.Int64           // how many saves are not tried directly
	closed    atomic.Bool
}

var (
	_ driver.Backend         = (*backend)(nil)
	_ driver.Purger          = (*backend)(nil)
	_ driver.Importer        = (*backend)(nil)
	_ driver.Rewriter        = (*backend)(nil)
	_ driver.NamespaceLister = (*backend)(nil)
	_ driver.Finder          = (*backend)(nil)
	_ driver.VersionReader   = (*backend)(nil)
	_ driver.PrefixDeleter   = (*backend)(nil)
	_ driver.Patcher         = (*backend)(nil)
	_ driver.LoggerSetter    = (*backend)(nil)
)

// An operation is one call of a backend's method, or one page of an iteration,
// that found in the database what its statements need.
type operation struct {
	*backend
	schema *schema
	start  time.Time
}

// begin begins every operation: a closed backend is reported before anything
// else, a context that has ended means that nothing happens, and the tables are
// looked for, and made if need be, unless this has been done.
func (b *backend) begin(ctx context.Context) (operation, error) {
	o := operation{backend: b, start: time.Now()}
	if err := b.check(ctx); err != nil {
		return o, err
	}
	var err error
	o.schema, err = b.resolve(ctx, o.start)
	return o, err
}

// check reports what keeps any operation from being tried.
func (b *backend) check(ctx context.Context) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.bad
}

// Ping implements driver.Backend: it connects, looks whether the tables are
// there and makes them if not, and opens a few connections for later, as far as the
// server has room for them.
func (b *backend) Ping(ctx context.Context) error {
	if err := b.check(ctx); err != nil {
		return err
	}
	b.warn(ctx)
	b.schema.Store(nil)
	if _, err := b.begin(ctx); err != nil {
		return err
	}
	if b.pool != nil {
		b.pool.warm(&call{Context: ctx, until: time.Now().Add(replyPatience)})
	}
	return nil
}

// Save implements driver.Backend.
func (b *backend) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	return b.SavePatch(ctx, driver.PatchRequest{SaveRequest: req})
}

// SavePatch implements driver.Patcher.
func (b *backend) SavePatch(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
	o, err := b.begin(ctx)
	if err != nil {
		return driver.Info{Key: req.Key, ID: req.ID}, err
	}
	return o.save(ctx, req)
}

// Import implements driver.Importer.
func (b *backend) Import(ctx context.Context, req driver.ImportRequest) error {
	o, err := b.begin(ctx)
	if err != nil {
		return err
	}
	return o.importCheckpoint(ctx, req)
}

// Rewrite implements driver.Rewriter.
func (b *backend) Rewrite(ctx context.Context, req driver.RewriteRequest) error {
	o, err := b.begin(ctx)
	if err != nil {
		return err
	}
	return o.rewrite(ctx, req)
}

// Load implements driver.Backend.
func (b *backend) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	o, err := b.begin(ctx)
	if err != nil {
		return driver.Checkpoint{}, err
	}
	return o.load(ctx, req)
}

// Find implements driver.Finder.
func (b *backend) Find(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
	o, err := b.begin(ctx)
	if err != nil {
		return driver.Info{}, err
	}
	return o.find(ctx, req)
}

// Delete implements driver.Backend.
func (b *backend) Delete(ctx context.Context, req driver.DeleteRequest) error {
	o, err := b.begin(ctx)
	if err != nil {
		return err
	}
	return o.remove(ctx, req)
}

// DeletePrefix implements driver.PrefixDeleter.
func (b *backend) DeletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	return sqlstore.DeletePrefix(req, removeBatch, func(low, high string, size int) (live, all int64, last string, err error) {
		o, err := b.begin(ctx)
		if err != nil {
			return 0, 0, "", err
		}
		return o.removeRange(ctx, req, low, high, size)
	})
}

// Purge implements driver.Purger.
func (b *backend) Purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	return sqlstore.Batches(removeBatch, func(size int) (int64, error) {
		o, err := b.begin(ctx)
		if err != nil {
			return 0, err
		}
		return o.purge(ctx, namespace, now, size)
	})
}

// List implements driver.Backend.
func (b *backend) List(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	return sqlstore.List(req, func(low, high string, n int) ([]driver.Info, error) {
		o, err := b.begin(ctx)
		if err != nil {
			return nil, err
		}
		return o.list(ctx, req, low, high, n)
	})
}

// History implements driver.Backend.
func (b *backend) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	return sqlstore.History(req, func(before int64, n int) ([]driver.Info, error) {
		o, err := b.begin(ctx)
		if err != nil {
			return nil, err
		}
		return o.history(ctx, req, before, n)
	})
}

// Versions implements driver.VersionReader.
func (b *backend) Versions(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	return sqlstore.Versions(req, func(p sqlstore.VersionsPage) ([]sqlstore.Version, bool, error) {
		o, err := b.begin(ctx)
		if err != nil {
			return nil, false, err
		}
		return o.versions(ctx, req, p)
	})
}

// Namespaces implements driver.NamespaceLister.
func (b *backend) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	return sqlstore.Namespaces(func(after string, n int) ([]string, error) {
		o, err := b.begin(ctx)
		if err != nil {
			return nil, err
		}
		return o.namespaces(ctx, after, n)
	})
}

// Close implements driver.Backend.
func (b *backend) Close() error {
	if b.closed.Swap(true) || b.pool == nil {
		return nil
	}
	b.pool.close()
	return nil
}

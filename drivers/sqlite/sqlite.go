package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

func init() { checkpoint.Register("sqlite", Driver{}) }

// Driver opens SQLite databases.
type Driver struct{}

// Open implements driver.Driver.
func (Driver) Open(dsn string) (driver.Backend, error) {
	cfg, err := ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	return newBackend(cfg, nil), nil
}

// ExampleDSN implements driver.Exampler.
func (Driver) ExampleDSN(name string) string { return name + ":agents.db?history=20" }

// New returns a backend on a database that the caller has opened, and closes after
// the backend. Of cfg it uses TableName and BusyTimeout; when TableName is not
// allowed, every operation returns ErrInvalid.
//
// The pool may be of any SQLite library that is a driver of database/sql, such as
// modernc.org/sqlite, github.com/mattn/go-sqlite3 and github.com/ncruces/go-sqlite3,
// whose error codes are understood. Its connections may have a busy_timeout of their
// own; a lock is waited for until both that and BusyTimeout are over.
//
// What the driver sets on a database of its own, the caller sets in the DSN
// given to sql.Open:
//
//	file:agents.db?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)
//
// Without WAL, readers and writers wait for each other. synchronous decides
// what an acknowledged save survives. Without busy_timeout and _txlock the
// backend itself waits and repeats, and other users of db get SQLITE_BUSY. A
// database in memory needs a pool of one connection that is never closed, for
// each connection would have one of its own.
//
// One connection is enough for the backend, and none is held between two
// operations or while the body of a loop over List runs.
func New(db *sql.DB, cfg Config) driver.Backend { return newBackend(cfg, db) }

// A backend is a handle on one table of one database.
type backend struct {
	cfg      Config
	bad      error   // of a Config that is not allowed
	given    *sql.DB // from New, or nil
	inflight *backends.Inflight
	database atomic.Pointer[database] // nil until the first operation has opened it
	opening  chan struct{}            // holds one token, which the operation that opens the database has taken
	log      *slog.Logger

	space func(path string) (free int64, known bool) // what the disk of a file has left for this user
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
	_ driver.LoggerSetter    = (*backend)(nil)
	_ driver.Locator         = (*backend)(nil)
	_ driver.Exampler        = Driver{}
)

func newBackend(cfg Config, given *sql.DB) *backend {
	if cfg.TableName == "" {
		cfg.TableName = DefaultTableName
	}
	if cfg.BusyTimeout <= 0 {
		cfg.BusyTimeout = DefaultBusyTimeout
	}
	b := &backend{cfg: cfg, bad: checkTableName(cfg.TableName), given: given, opening: make(chan struct{}, 1), log: slog.Default(), space: freeSpace}
	b.inflight = backends.NewInflight(b.release)
	b.opening <- struct{}{}
	return b
}

// SetLogger implements driver.LoggerSetter.
func (b *backend) SetLogger(l *slog.Logger) { b.log = l }

// Location implements driver.Locator.
func (b *backend) Location() driver.Location {
	switch {
	case b.given != nil:
		return driver.Location{}
	case b.cfg.Path == Memory:
		return driver.Location{Memory: true, Private: true}
	}
	return driver.Location{File: b.cfg.Path}
}

// String shows where the backend stores.
func (b *backend) String() string {
	if b.given != nil {
		return fmt.Sprintf("sqlite(%s)", b.cfg.TableName)
	}
	return fmt.Sprintf("sqlite(%s, %s)", b.cfg.Path, b.cfg.TableName)
}

// begin begins every operation: a closed backend is reported before anything
// else, and a context that has ended means that nothing happens. Without an
// error the caller calls b.inflight.Leave when it is done.
func (b *backend) begin(ctx context.Context) (*database, error) {
	if !b.inflight.Enter() {
		return nil, driver.ErrClosed
	}
	d, err := b.ready(ctx)
	if err != nil {
		b.inflight.Leave()
		return nil, err
	}
	return d, nil
}

// ready returns the database, and opens it if there is none. Of several callers
// one opens and the others wait.
func (b *backend) ready(ctx context.Context) (*database, error) {
	if b.bad != nil {
		return nil, b.bad
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d := b.database.Load(); d != nil {
		return d, nil
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-b.opening:
	}
	defer func() { b.opening <- struct{}{} }()
	if d := b.database.Load(); d != nil {
		return d, nil
	}
	d, err := b.open(ctx)
	if err != nil {
		return nil, err
	}
	b.database.Store(d)
	return d, nil
}

// Ping implements driver.Backend: it creates the file and the tables where
// they are missing and brings them up to date, and otherwise looks whether they
// can be read.
func (b *backend) Ping(ctx context.Context) error {
	d, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer b.inflight.Leave()
	return d.ping(ctx)
}

// Save implements driver.Backend.
func (b *backend) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	return b.SavePatch(ctx, driver.PatchRequest{SaveRequest: req})
}

// SavePatch implements driver.Patcher.
func (b *backend) SavePatch(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
	asked := driver.Info{Key: req.Key, ID: req.ID}
	d, err := b.begin(ctx)
	if err != nil {
		return asked, err
	}
	defer b.inflight.Leave()
	var info driver.Info
	err = d.writer.do(ctx, len(req.Payload), func(tx *transaction) (err error) {
		info, err = tx.save(req)
		return err
	})
	if err != nil {
		return asked, err
	}
	return info, nil
}

// Import implements driver.Importer.
func (b *backend) Import(ctx context.Context, req driver.ImportRequest) error {
	d, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer b.inflight.Leave()
	return d.writer.do(ctx, len(req.Payload), func(tx *transaction) error { return tx.importCheckpoint(req) })
}

// Rewrite implements driver.Rewriter.
func (b *backend) Rewrite(ctx context.Context, req driver.RewriteRequest) error {
	d, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer b.inflight.Leave()
	return d.writer.do(ctx, len(req.Payload), func(tx *transaction) error { return tx.rewrite(req) })
}

// Delete implements driver.Backend.
func (b *backend) Delete(ctx context.Context, req driver.DeleteRequest) error {
	d, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer b.inflight.Leave()
	return d.writer.do(ctx, noPayload, func(tx *transaction) error { return tx.delete(req) })
}

// DeletePrefix implements driver.PrefixDeleter.
func (b *backend) DeletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	d, err := b.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer b.inflight.Leave()
	return d.deletePrefix(ctx, req)
}

// Purge implements driver.Purger.
func (b *backend) Purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	d, err := b.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer b.inflight.Leave()
	return d.purge(ctx, namespace, now)
}

// Load implements driver.Backend.
func (b *backend) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	d, err := b.begin(ctx)
	if err != nil {
		return driver.Checkpoint{}, err
	}
	defer b.inflight.Leave()
	return d.loadChain(ctx, req)
}

// Find implements driver.Finder.
func (b *backend) Find(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
	d, err := b.begin(ctx)
	if err != nil {
		return driver.Info{}, err
	}
	defer b.inflight.Leave()
	return d.find(ctx, req)
}

// List implements driver.Backend.
func (b *backend) List(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	return sqlstore.List(req, func(low, high string, n int) ([]driver.Info, error) {
		d, err := b.begin(ctx)
		if err != nil {
			return nil, err
		}
		defer b.inflight.Leave()
		return d.list(ctx, req, low, high, n)
	})
}

// History implements driver.Backend.
func (b *backend) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	return sqlstore.History(req, func(before int64, n int) ([]driver.Info, error) {
		d, err := b.begin(ctx)
		if err != nil {
			return nil, err
		}
		defer b.inflight.Leave()
		return d.history(ctx, req, before, n)
	})
}

// Versions implements driver.VersionReader.
func (b *backend) Versions(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	return sqlstore.Versions(req, func(p sqlstore.VersionsPage) ([]sqlstore.Version, bool, error) {
		d, err := b.begin(ctx)
		if err != nil {
			return nil, false, err
		}
		defer b.inflight.Leave()
		return d.versions(ctx, req, p)
	})
}

// Namespaces implements driver.NamespaceLister.
func (b *backend) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	return sqlstore.Namespaces(func(after string, n int) ([]string, error) {
		d, err := b.begin(ctx)
		if err != nil {
			return nil, err
		}
		defer b.inflight.Leave()
		return d.namespaces(ctx, after, n)
	})
}

// Close implements driver.Backend. Operations under way finish, and the last
// of them lets go of the database.
func (b *backend) Close() error { return b.inflight.Close() }

// release is called once, when the backend is closed and nothing is under way.
func (b *backend) release() error {
	if d := b.database.Load(); d != nil {
		return d.close()
	}
	return nil
}

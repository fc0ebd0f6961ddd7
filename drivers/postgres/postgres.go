package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
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
	c, err := newConnector(cfg.server, !cfg.NoPrepare)
	if err != nil {
		return nil, fmt.Errorf("%w DSN: lib/pq refuses it", driver.ErrInvalid)
	}
	b := newBackend(nil, cfg)
	b.pool = newPool(c, b.cfg.MaxConnections, b.cfg.MinConnections)
	b.db = b.pool.db
	return b, nil
}

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
	b := &backend{db: db, cfg: cfg.withDefaults(), invalid: cfg.check()}
	b.table, _ = parseTable(b.cfg.Table)
	return b
}

// A backend is a pool of connections and what is known of the database.
type backend struct {
	db      *sql.DB
	pool    *pool // nil when the caller owns the pool
	cfg     Config
	table   table
	invalid error        // of the configuration
	logger  *slog.Logger // of SetLogger
	warned  sync.Once

	schema atomic.Pointer[schema] // nil until the database was found ready
	closed atomic.Bool
}

var (
	_ driver.Backend         = (*backend)(nil)
	_ driver.Purger          = (*backend)(nil)
	_ driver.Importer        = (*backend)(nil)
	_ driver.Rewriter        = (*backend)(nil)
	_ driver.NamespaceLister = (*backend)(nil)
	_ driver.LoggerSetter    = (*backend)(nil)
)

// SetLogger implements driver.LoggerSetter.
func (b *backend) SetLogger(l *slog.Logger) { b.logger = l }

// progress tells an operator how a migration goes on.
func (b *backend) progress(ctx context.Context, msg string, args ...any) {
	if b.logger != nil {
		b.logger.InfoContext(ctx, msg, append([]any{slog.String("table", b.cfg.Table)}, args...)...)
	}
}

// warn tells an operator, once, of a connection whose other end nobody looks at.
func (b *backend) warn(ctx context.Context) {
	if !b.cfg.unverified {
		return
	}
	b.warned.Do(func() {
		l := b.logger
		if l == nil {
			l = slog.Default()
		}
		l.WarnContext(ctx, "checkpoint: nobody verifies who the PostgreSQL server is, and without TLS on it states and passwords cross the network in the clear; add sslmode=verify-full to the DSN, or sslmode=prefer if the network is yours",
			slog.String("host", shownHost(b.cfg.server.Host)))
	})
}

// open begins every operation. A closed backend is reported before anything
// else, and a context that has ended means that nothing happens.
func (b *backend) open(ctx context.Context) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.invalid
}

// Ping implements driver.Backend: it connects, looks whether the tables are
// there and makes them if not, and keeps a few connections for later.
func (b *backend) Ping(ctx context.Context) error {
	if err := b.open(ctx); err != nil {
		return err
	}
	b.warn(ctx)
	b.schema.Store(nil)
	if _, err := b.ready(ctx, time.Now()); err != nil {
		return err
	}
	if b.pool != nil {
		if err := b.pool.warm(&call{Context: ctx, until: time.Now().Add(replyPatience)}); err != nil {
			return b.explain(ctx, diagnoseConnecting(err).err)
		}
	}
	return nil
}

// Close implements driver.Backend.
func (b *backend) Close() error {
	if b.closed.Swap(true) || b.pool == nil {
		return nil
	}
	b.pool.close()
	return nil
}

// Format implements fmt.Formatter: no verb shows a password.
func (b *backend) Format(f fmt.State, _ rune) {
	io.WriteString(f, "postgres backend "+fmt.Sprint(b.cfg))
}

// LogValue implements slog.LogValuer.
func (b *backend) LogValue() slog.Value { return b.cfg.LogValue() }

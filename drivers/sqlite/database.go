package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
	codes "modernc.org/sqlite/lib"
)

// A database is what a backend has once its file is open: the pools, the
// prepared statements and the writer.
type database struct {
	name        string // of the database, in errors
	path        string // of the file, "" where there is none or it is not known
	table       string
	busyTimeout time.Duration
	closed      <-chan struct{} // closed with the backend
	file        *dataFile       // nil unless the driver has opened it
	space       func(path string) (free int64, known bool)
	frozen      *frozen // nil unless the file can only be read, with care

	write, read *sql.DB       // the same one where a database is a single connection
	owned       bool          // whether closing the database closes them
	readers     chan struct{} // holds as many as there may be connections in the driver's own pool to read; nil without it
	chains      bool          // the table of chains is there; otherwise the database can only be read
	sql         sqlstore.Statements
	schema      sqlstore.Statements
	stmt        statements
	writer      *writer
}

// open opens the database and brings its schema up to date.
func (b *backend) open(ctx context.Context) (*database, error) {
	d := &database{
		name:        "the database",
		table:       b.cfg.TableName,
		busyTimeout: b.cfg.BusyTimeout,
		closed:      b.inflight.Closed(),
		sql:         parseStatements(b.cfg.TableName, true),
		schema:      parseSchema(b.cfg.TableName),
		space:       b.space,
	}
	d.writer = newWriter(d, b.inflight)
	if b.given != nil {
		d.write, d.read = b.given, b.given
		if err := d.start(ctx); err != nil {
			return nil, err
		}
		b.warn(ctx)
		return d, nil
	}
	d.owned = true
	if err := b.locate(d); err != nil {
		return nil, err
	}
	b.openPools(d)
	err := d.start(ctx)
	if cannotShare(err) {
		// Neither file nor folder can be written. Unless somebody else does,
		// they can be read.
		if f, ferr := freeze(d.path); ferr == nil {
			_ = d.close()
			d.frozen = f
			b.openPools(d)
			err = d.start(ctx)
		}
	}
	if err == nil && d.path != "" {
		d.file, err = newDataFile(d.path)
	}
	if err != nil {
		_ = d.close()
		return nil, err
	}
	return d, nil
}

// warn tells of a setting of a given database that its operator should know of.
func (b *backend) warn(ctx context.Context) {
	var mode string
	if err := b.given.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil || mode == "wal" || mode == "memory" {
		return
	}
	b.log.WarnContext(ctx, "checkpoint: the SQLite database is not in WAL mode, so readers and writers wait for each other; open it with _pragma=journal_mode(wal)",
		"journal_mode", mode)
}

// cannotShare reports whether SQLite could not make the files beside a
// database by which readers and writers agree.
func cannotShare(err error) bool {
	c := code(err)
	return c == codes.SQLITE_READONLY || c == codes.SQLITE_CANTOPEN
}

// locate finds the file by its one name, or refuses it.
func (b *backend) locate(d *database) error {
	if b.cfg.Path == Memory {
		d.name = "the database in memory"
		return nil
	}
	path, err := filepath.Abs(b.cfg.Path)
	if err != nil {
		return fmt.Errorf("%w: the working directory is not known: %w", driver.ErrUnavailable, err)
	}
	d.name = path
	if d.path, err = resolve(path); err != nil {
		d.path = path // SQLite fails too, and whyNotOpened says why
	}
	if !b.cfg.AllowLinks {
		if err := checkNames(d.path); err != nil {
			return err
		}
	}
	return checkForeign(d.path)
}

// openPools makes the pools and opens no connection yet: one connection to
// write, because SQLite has one writer, and a few to read beside it.
func (b *backend) openPools(d *database) {
	pragmas := []string{
		"synchronous(" + b.cfg.Synchronous.String() + ")",
		"journal_size_limit(67108864)", // give back what one large transaction took
	}
	if b.cfg.Synchronous == Full {
		pragmas = append(pragmas, "fullfsync(1)") // macOS: wait for the disk and not only for its cache
	}
	if d.path == "" {
		d.write = pool(&connector{path: Memory}, 1)
		d.read = d.write
		return
	}
	opened.add(d.path)
	d.write = pool(&connector{path: d.path, pragmas: pragmas, frozen: d.frozen != nil}, 1)
	d.readers = make(chan struct{}, min(max(4, runtime.GOMAXPROCS(0)), 16))
	d.read = pool(&connector{path: d.path, pragmas: []string{"query_only(1)"}, frozen: d.frozen != nil}, cap(d.readers))
}

// pool makes a pool of up to n connections, which stay open until the
// database is closed.
func pool(c *connector, n int) *sql.DB {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db
}

// start checks the schema, creates or migrates it where needed, and prepares
// the statements.
func (d *database) start(ctx context.Context) error {
	return d.retry(ctx, func() error {
		if err := d.ensureSchema(ctx); err != nil {
			return err
		}
		d.sql = parseStatements(d.table, d.chains)
		return d.stmt.prepare(ctx, d.sql, d.write, d.read, d.chains)
	})
}

// close lets go of the statements and of the pools that are the database's own.
func (d *database) close() error {
	err := d.stmt.close()
	if !d.owned {
		return err
	}
	if d.read != d.write {
		err = errors.Join(err, d.read.Close())
	}
	err = errors.Join(err, d.write.Close()) // the last to close folds the write-ahead log into the file
	if d.path != "" {
		opened.remove(d.path)
	}
	return err
}

// ping looks whether the schema is still the one that this program knows.
func (d *database) ping(ctx context.Context) error {
	return d.retry(ctx, func() error {
		if err := d.file.check(); err != nil {
			return err
		}
		_, err := d.readVersion(d.stmt.version.QueryRowContext(ctx))
		return err
	})
}

// unwatched returns the context for statements that touch a few rows, on the
// driver's own pools to write and to read. The end of a context could not stop
// such a statement sooner than it ends by itself, but having it watched takes
// two goroutines for each statement, a quarter of the time of a small load. On
// other pools it is watched all the same: there may be no free connection.
func (d *database) unwatched(ctx context.Context) context.Context {
	if d.readers != nil {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// retry calls f, again as long as another process holds a lock and the time
// for that is not over, and explains its error.
func (d *database) retry(ctx context.Context, f func() error) error {
	deadline := time.Now().Add(d.busyTimeout)
	for attempt := 0; ; attempt++ {
		err := f()
		if !busy(err) || !time.Now().Before(deadline) {
			return d.explain(ctx, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.closed:
			return driver.ErrClosed
		case <-time.After(pause(attempt)):
		}
	}
}

// pause is how long to wait for a lock before another attempt. SQLite's own
// waits grow to 100 ms and let processes that never wait win; these stay short
// and are random.
func pause(attempt int) time.Duration {
	return rand.N(min(time.Millisecond<<min(attempt, 10), 10*time.Millisecond)) + 100*time.Microsecond
}

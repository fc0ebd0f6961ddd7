package postgres

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
)

// What had no effect is repeated for this long, with pauses that grow.
const (
	againPatience  = 8 * time.Second
	firstPause     = 2 * time.Millisecond
	longestPause   = 250 * time.Millisecond
	readOnlyRounds = 3
)

// A statement is what an operation has the server do: one of the statements
// by name, with its arguments.
type statement struct {
	name string
	args []any
	// rows reads the result. It may be called again, after an error, for a
	// repetition.
	rows func(*sql.Rows) error
	// reads says that the statement changes nothing, so that it can be repeated
	// when the reply was lost.
	reads bool
}

// errState marks the error of a statement whose state the server cannot hold in
// the form it was given.
type errState struct{ error }

func (e errState) Unwrap() error { return e.error }

// errLost marks the error of a statement whose reply was lost: it may have had
// its effect.
type errLost struct{ error }

func (e errLost) Unwrap() error { return e.error }

// run runs a statement on a connection of its own, in one round trip, and
// repeats it as long as it is known to have had no effect and may succeed: that
// is what makes a save happen at most once. Errors match a driver.Err value or
// the context's.
func (o operation) run(ctx context.Context, s statement) error {
	f := o.attempt(ctx, s)
	if f.missing {
		// Renamed, restored or dropped since it was looked for.
		o.backend.schema.CompareAndSwap(o.schema, nil)
		var err error
		if o.schema, err = o.resolve(ctx, time.Now()); err != nil {
			return err
		}
		f = o.attempt(ctx, s)
	}
	if f.err == nil {
		return nil
	}
	err := o.explain(ctx, f.err)
	switch {
	case f.unknown:
		return errLost{err}
	case f.state:
		return errState{err}
	}
	return err
}

// attempt runs a statement, and repeats it, when its turn has come. It keeps its
// place meanwhile: repetitions never make for more statements at once than the pool
// has connections.
func (o operation) attempt(ctx context.Context, s statement) (f failure) {
	c := &call{Context: ctx, until: o.start.Add(replyPatience), reads: s.reads}
	if f = o.enter(c); f.err != nil {
		return f
	}
	defer func() { o.leave(f) }()
	start := time.Now()
	for round := 1; ; round++ {
		f = o.try(c, s)
		if f.unknown && s.reads {
			f.again = round <= 2
		}
		if f.drop && f.again && o.pool != nil {
			o.pool.renew()
			f.again = round <= readOnlyRounds
		}
		if !f.again || backends.Ended(ctx) != nil || o.closed.Load() || time.Since(start) > againPatience ||
			backends.Sleep(ctx, backends.Backoff(round-1, firstPause, longestPause)) != nil {
			return f
		}
	}
}

// try runs a statement once.
func (o operation) try(c *call, s statement) failure {
	conn, f := o.connect(c)
	if conn == nil {
		return f
	}
	defer conn.Close()
	if err := query(o.quiet(c), conn, o.schema.statements.Get(s.name), s); err != nil {
		f = diagnose(err)
		if f.drop {
			discard(conn)
		}
	}
	return f
}

// quiet returns the context that database/sql is given for a statement. On a
// pool of the caller's, database/sql and its driver have to watch the context.
func (b *backend) quiet(c *call) context.Context {
	if b.pool == nil {
		return c.Context
	}
	return quietCall{c}
}

// query runs a query and reads its rows to the end: a commit that fails is
// reported there.
func query(ctx context.Context, conn *sql.Conn, text string, s statement) error {
	rows, err := conn.QueryContext(ctx, text, s.args...)
	if err != nil {
		return err
	}
	if s.rows != nil {
		if err := s.rows(rows); err != nil {
			_ = rows.Close()
			return err
		}
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}

// enter waits until the operation may use the pool. Nothing has been sent when it
// fails; otherwise leave has to follow.
func (b *backend) enter(c *call) failure {
	if b.pool == nil {
		return failure{}
	}
	if err := b.pool.enter(c); err != nil {
		return diagnoseConnecting(err)
	}
	return failure{}
}

// leave lets the next operation through.
func (b *backend) leave(f failure) {
	if b.pool != nil {
		b.pool.queue.Leave(!f.silent)
	}
}

// connect returns a connection of the pool. It waits as long as the context
// allows, and not longer than a caller may wait for a database that is not there.
// Nothing has been sent when it fails.
func (b *backend) connect(c *call) (conn *sql.Conn, f failure) {
	var err error
	if b.pool != nil {
		conn, err = b.pool.connect(c)
	} else {
		ctx, cancel := context.WithDeadline(c.Context, c.until)
		defer cancel()
		conn, err = b.db.Conn(ctx)
		if stats := b.db.Stats(); err != nil && ctx.Err() != nil && stats.InUse == stats.MaxOpenConnections {
			err = errBusy{stats.MaxOpenConnections}
		}
	}
	if err != nil {
		return nil, diagnoseConnecting(err)
	}
	return conn, failure{}
}

// acquire is enter and connect, for what is not an operation's statement. release
// ends both; it is nil when there is no connection.
func (b *backend) acquire(c *call) (conn *sql.Conn, release func(f failure), f failure) {
	if f = b.enter(c); f.err != nil {
		return nil, nil, f
	}
	if conn, f = b.connect(c); conn == nil {
		b.leave(f)
		return nil, nil, f
	}
	return conn, func(f failure) {
		_ = conn.Close()
		b.leave(f)
	}, failure{}
}

// discard has the pool close a connection instead of keeping it.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return sqldriver.ErrBadConn })
}

// explain puts what the caller did, ending the context or closing the backend,
// before what came of it.
func (b *backend) explain(ctx context.Context, err error) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	if end := backends.Ended(ctx); end != nil && !errors.Is(err, driver.ErrCorrupt) {
		return end
	}
	return err
}

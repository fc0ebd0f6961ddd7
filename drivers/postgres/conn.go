package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

// A connector opens lib/pq's connections and puts each into a conn.
type connector struct {
	pq      *pq.Connector
	prepare bool
	era     atomic.Int64 // a connection of an earlier era is not used again
}

func newConnector(cfg *pq.Config, prepare bool) (*connector, error) {
	c, err := pq.NewConnectorConfig(*cfg)
	if err != nil {
		return nil, err
	}
	c.Dialer(new(dialer))
	return &connector{pq: c, prepare: prepare}, nil
}

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return c.pq.Driver() }

// Connect implements driver.Connector. It returns soon after the end of ctx,
// whatever it is waiting for.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	limit := time.Now().Add(connectPatience)
	if until := callOf(ctx).until; !until.IsZero() && until.Before(limit) {
		limit = until
	}
	ctx, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	era := c.era.Load()
	a := new(attempt)
	stop := context.AfterFunc(ctx, func() { a.finish(false) })
	opened, err := c.pq.Connect(context.WithValue(ctx, attemptKey{}, a))
	if !stop() {
		if err == nil {
			_ = opened.Close()
		}
		return nil, ctx.Err()
	}
	w := a.finish(err == nil)
	if err != nil {
		return nil, err
	}
	return &conn{pqConn: opened.(pqConn), wire: w, owner: c, era: era, prepared: make(map[string]preparedStatement)}, nil
}

// pqConn is what lib/pq's connections implement.
type pqConn interface {
	driver.Conn
	driver.QueryerContext
	driver.ExecerContext
	driver.ConnPrepareContext
	driver.SessionResetter
	driver.Validator
}

type preparedStatement interface {
	driver.Stmt
	driver.StmtQueryContext
}

// A conn is a connection of lib/pq that keeps the contexts of its statements,
// prepares each statement once, and is used no more when it has ended.
// database/sql sees to it that one goroutine uses it at a time.
type conn struct {
	pqConn
	wire     *wire
	owner    *connector
	era      int64
	prepared map[string]preparedStatement
	broken   bool
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.query(c.wire.begin(callOf(ctx)), query, args)
	if err != nil {
		c.done(err)
		return nil, err
	}
	return &resultRows{Rows: rows, conn: c}, nil
}

func (c *conn) query(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if !c.owner.prepare || len(args) == 0 {
		return c.pqConn.QueryContext(ctx, query, args)
	}
	s, ok := c.prepared[query]
	if !ok {
		prepared, err := c.pqConn.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		s = prepared.(preparedStatement)
		c.prepared[query] = s
	}
	return s.QueryContext(ctx, args)
}

// ExecContext implements driver.ExecerContext, for statements that change the
// schema: they are not prepared.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	result, err := c.pqConn.ExecContext(c.wire.begin(callOf(ctx)), query, args)
	c.done(err)
	return result, err
}

// done ends a statement. A connection on which one was cancelled, or on which a
// pooler has lost the prepared statements, is not used again.
func (c *conn) done(err error) {
	usable := c.wire.done()
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		switch state.SQLState() {
		case "26000", "42P05", "08P01": // no such statement, statement exists, protocol violation
			usable = false
		}
	}
	if !usable {
		c.broken = true
	}
}

// ResetSession implements driver.SessionResetter: it is called before the
// connection is used again.
func (c *conn) ResetSession(ctx context.Context) error {
	if c.broken || c.era != c.owner.era.Load() || c.wire.stale != nil && c.wire.stale() {
		return driver.ErrBadConn
	}
	return c.pqConn.ResetSession(ctx)
}

// IsValid implements driver.Validator: it is called after each use.
func (c *conn) IsValid() bool {
	return !c.broken && c.era == c.owner.era.Load() && c.pqConn.IsValid()
}

// resultRows ends the watch over a statement with its rows.
type resultRows struct {
	driver.Rows
	conn *conn
	err  error // of Next
}

// Next implements driver.Rows.
func (r *resultRows) Next(dest []driver.Value) error {
	r.err = r.Rows.Next(dest)
	return r.err
}

// Close implements driver.Rows. What is still to come is read, so that an error
// at the end, a commit that failed for example, is not missed.
func (r *resultRows) Close() error {
	err := r.Rows.Close()
	if err != nil {
		r.err = err
	}
	r.conn.done(r.err)
	return err
}

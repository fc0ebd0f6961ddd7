package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lib/pq"

	checkpointdriver "github.com/go-ckpt/checkpoint/driver"
)

// A connector opens lib/pq's connections and puts each into a conn.
type connector struct {
	pq       *pq.Connector
	rootCert string       // the file of sslrootcert
	prepare  string       // the DSN's word: auto, true or false
	pooled   atomic.Bool  // auto: statements got lost between sessions, so none is prepared any more
	era      atomic.Int64 // a connection of an earlier era is not used again
}

func newConnector(cfg *pq.Config, prepare string) (*connector, error) {
	c, err := pq.NewConnectorConfig(*cfg)
	if err != nil {
		return nil, err
	}
	c.Dialer(new(dialer))
	file := ""
	if !cfg.SSLInline && cfg.SSLRootCert != "system" && cfg.SSLMode != pq.SSLModeDisable {
		file = cfg.SSLRootCert
	}
	return &connector{pq: c, prepare: prepare, rootCert: file}, nil
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
	if c.rootCert != "" {
		// lib/pq takes one that it cannot find for none, and verifies nothing.
		if _, err := os.Stat(c.rootCert); err != nil {
			return nil, fmt.Errorf("%w: sslrootcert names a file that cannot be read: %w", checkpointdriver.ErrInvalid, err)
		}
	}
	era := c.era.Load()
	a := new(attempt)
	stop := context.AfterFunc(ctx, func() { a.finish(false) })
	opened, err := c.pq.Connect(context.WithValue(ctx, attemptKey{}, a))
	prepare := c.prepare == "true"
	if err == nil && c.prepare == "auto" && !c.pooled.Load() {
		if prepare, err = ownSession(ctx, opened.(pqConn)); err != nil {
			_ = opened.Close()
		}
	}
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
	return &conn{pqConn: opened.(pqConn), wire: w, owner: c, era: era, prepare: prepare, prepared: make(map[string]preparedStatement)}, nil
}

// ownSession reports whether a connection has a session of the server for itself. A
// pooler, which may hand every transaction to another session, has told the client
// a number of its own for the process that serves it. Where lib/pq no longer keeps
// that number by this name, no session is taken for its own.
func ownSession(ctx context.Context, c pqConn) (bool, error) {
	told := reflect.Indirect(reflect.ValueOf(c)).FieldByName("pid")
	rows, err := c.QueryContext(ctx, "SELECT pg_backend_pid()", nil)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil {
		return false, err
	}
	pid, ok := row[0].(int64)
	return ok && told.IsValid() && told.CanInt() && told.Int() == pid, nil
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
	prepare  bool
	prepared map[string]preparedStatement
	broken   bool
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.query(c.wire.begin(callOf(ctx)), query, args)
	if err != nil {
		return nil, c.done(err)
	}
	return &resultRows{Rows: rows, conn: c}, nil
}

func (c *conn) query(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if !c.prepare || len(args) == 0 {
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
	return result, c.done(err)
}

// done ends a statement. A connection on which one was cancelled, or on which a
// pooler has lost the prepared statements, is not used again.
func (c *conn) done(err error) error {
	usable := c.wire.done()
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		switch state.SQLState() {
		case "26000", "42P05", "08P01": // no such statement, statement exists, protocol violation
			usable = false
			// A pooler reports other failures as protocol violations too, also of
			// statements that may have been run.
			if c.prepare && (state.SQLState() != "08P01" || strings.Contains(err.Error(), "prepared statement")) {
				auto := c.owner.prepare == "auto"
				if auto {
					c.owner.pooled.Store(true)
				}
				err = errPrepared{err, auto}
			}
		}
	}
	if !usable {
		c.broken = true
	}
	return err
}

// errPrepared marks an error that a pooler may have caused which does not keep the
// prepared statements of its clients apart.
type errPrepared struct {
	error
	again bool // the next connection prepares none
}

func (e errPrepared) Unwrap() error { return e.error }

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
	_ = r.conn.done(r.err)
	return err
}

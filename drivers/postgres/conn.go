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
	parses   atomic.Bool  // auto: none is prepared on the connection that was looked at last
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
	prepare := never
	switch {
	case c.prepare == "true":
		prepare = prepares
	case c.prepare == "auto" && !c.pooled.Load():
		prepare = undecided
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

// prepares reports whether statements are prepared, as far as that is known.
func (c *connector) prepares() bool {
	return c.prepare == "true" || c.prepare == "auto" && !c.pooled.Load() && !c.parses.Load()
}

// Preparing says whether a connection prepares statements.
type preparing int

const (
	undecided preparing = iota // auto: nobody has looked yet whether a pooler is between
	prepares
	never
)

// decide asks for the process that serves the connection.
func (c *conn) decide(ctx context.Context) error {
	rows, err := c.pqConn.QueryContext(ctx, "SELECT pg_backend_pid()", nil)
	if err != nil {
		return err
	}
	defer rows.Close()
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil {
		return err
	}
	pid, _ := row[0].(int64)
	c.learn(pid)
	return nil
}

// learn is told the process that serves the connection. A connection that has a session
// of the server for itself may prepare statements. A pooler, which may hand every
// transaction to another session, has told the client a number of its own for that
// process. Where lib/pq no longer keeps that number by this name, no session is taken
// for its own.
func (c *conn) learn(pid int64) {
	if c.prepare != undecided {
		return
	}
	c.prepare = never
	if told := reflect.Indirect(reflect.ValueOf(c.pqConn)).FieldByName("pid"); told.IsValid() && told.CanInt() && told.Int() == pid {
		c.prepare = prepares
	}
	c.owner.parses.Store(c.prepare == never)
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
// prepares each statement when it uses it again, and is used no more when it has ended.
// database/sql sees to it that one goroutine uses it at a time.
type conn struct {
	pqConn
	wire     *wire
	owner    *connector
	era      int64
	prepare  preparing
	prepared map[string]preparedStatement // nil for a statement that was used once
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
	if c.prepare == never || len(args) == 0 {
		return c.pqConn.QueryContext(ctx, query, args)
	}
	s, again := c.prepared[query]
	if !again {
		// Preparing takes a round trip, which a program that ends soon would not earn back.
		c.prepared[query] = nil
		return c.pqConn.QueryContext(ctx, query, args)
	}
	if c.prepare == undecided {
		if err := c.decide(ctx); err != nil {
			return nil, err
		}
		if c.prepare == never {
			return c.pqConn.QueryContext(ctx, query, args)
		}
	}
	if s == nil {
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
			if c.prepare == prepares && (state.SQLState() != "08P01" || strings.Contains(err.Error(), "prepared statement")) {
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

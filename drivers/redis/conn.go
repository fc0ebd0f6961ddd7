package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-ckpt/checkpoint/internal/idleconn"
)

// A call must end soon after its context is cancelled, also when the network
// swallows every packet. go-redis gives the deadline of a context to the
// connection it picks, and does not look at the context again while it reads or
// writes. So the connections of a backend's own client are made here, and a
// call's context has a deadline with a mark, a time zone that is the call's
// alone: the connection that is given this deadline is the one the call uses,
// and is interrupted when the context ends.
//
// A client handed to New has connections of its own; for those see
// (*backend).apart.

// A large state may take longer over a slow line than a server may be silent. So the
// deadline is put off by each piece that is sent or comes.

// A call is the context of one use of the client.
type call struct {
	context.Context
	zone   time.Location // the mark
	until  atomic.Int64  // when a silent server is given up, in nanoseconds since 1970
	silent time.Duration // for how long it is waited for

	mu    sync.Mutex
	conns []*conn // that were given the deadline; several when a pipeline spreads over a cluster
}

// Deadline implements context.Context.
func (c *call) Deadline() (time.Time, bool) { return time.Unix(0, c.until.Load()).In(&c.zone), true }

// lasts sets the deadline to so long from now, but not behind that of the context, and
// returns it.
func (c *call) lasts(d time.Duration) time.Time {
	until := time.Now().Add(d)
	if limit, ok := c.Context.Deadline(); ok && limit.Before(until) {
		until = limit
	}
	c.until.Store(until.UnixNano())
	return until
}

// interrupt ends what the call is waiting for. It runs once its context has
// ended.
func (c *call) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cn := range c.conns {
		cn.interrupt(c)
	}
}

func (c *call) uses(cn *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range c.conns {
		if known == cn {
			return
		}
	}
	c.conns = append(c.conns, cn)
}

// calls are the calls under way on one client.
type calls struct {
	// trusted is how long a TLS connection is taken to be sound after its use.
	trusted time.Duration
	roleAge time.Duration
	moved   func() // called now and then while a large state travels

	mu     sync.RWMutex
	marked map[*time.Location]*call
}

func newCalls() *calls {
	return &calls{trusted: time.Second, roleAge: roleAge, moved: func() {}, marked: make(map[*time.Location]*call)}
}

// run calls f with a context that ends with ctx, whose reads and writes end where
// nothing has been sent or has come for so long, if ctx has no earlier deadline.
func (cs *calls) run(ctx context.Context, silent time.Duration, f func(context.Context) error) error {
	c := &call{Context: ctx, silent: silent}
	c.lasts(silent)
	cs.mu.Lock()
	cs.marked[&c.zone] = c
	cs.mu.Unlock()
	defer func() {
		cs.mu.Lock()
		delete(cs.marked, &c.zone)
		cs.mu.Unlock()
	}()
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, c.interrupt)
		defer stop()
	}
	return f(c)
}

// of returns the call whose deadline t is, or nil.
func (cs *calls) of(t time.Time) *call {
	zone := t.Location()
	if zone == time.Local || zone == time.UTC {
		return nil
	}
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	return cs.marked[zone]
}

// A conn knows the call that uses it.
type conn struct {
	net.Conn
	calls *calls
	stale func() bool // nil where go-redis looks, or nobody can

	role role // of the server

	mu    sync.Mutex
	owner *call
	used  time.Time
	until time.Time // when the owner's reads or writes end
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

func (c *conn) SetDeadline(t time.Time) error     { return c.set(t, c.Conn.SetDeadline) }
func (c *conn) SetReadDeadline(t time.Time) error { return c.set(t, c.Conn.SetReadDeadline) }

// SetWriteDeadline is where go-redis begins to send a command. It fails on a
// connection that the server has ended while it was idle, so that nothing is
// sent, and there is no doubt that it was not.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if c.ended() {
		return errEnded
	}
	c.role.due = c.role.again && time.Since(c.role.verified) >= c.calls.roleAge
	return c.set(t, c.Conn.SetWriteDeadline)
}

var errEnded = errors.New("the server has closed the connection")

func (c *conn) ended() bool {
	if c.stale == nil {
		return false
	}
	c.mu.Lock()
	idle := time.Since(c.used)
	c.mu.Unlock()
	// Not at once: a server may send what belongs to the handshake late.
	if idle < c.calls.trusted {
		return false
	}
	c.Conn.SetReadDeadline(time.Time{})
	return c.stale()
}

func (c *conn) set(t time.Time, deadline func(time.Time) error) error {
	owner := c.calls.of(t)
	if owner != nil {
		owner.uses(c)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owner, c.until = owner, t
	if !t.IsZero() { // go-redis looks at an idle connection without a deadline
		c.used = time.Now()
	}
	// Asked after uses, so that a context that ends now is seen either here or
	// by interrupt.
	if owner != nil && owner.Err() != nil {
		t = past
	}
	return deadline(t)
}

// progress puts the end of the call's reads, or writes, off after a piece of them. It
// does so where a quarter of the time has gone, which small ones never see.
func (c *conn) progress(deadline func(time.Time) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owner == nil || time.Until(c.until) > c.owner.silent*3/4 {
		return
	}
	if c.owner.Err() == nil {
		c.until = c.owner.lasts(c.owner.silent)
		deadline(c.until)
		c.calls.moved()
	}
}

// interrupt fails the reads and writes of a call, unless another one has the
// connection by now. go-redis closes a connection that failed so.
func (c *conn) interrupt(by *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owner == by {
		c.Conn.SetDeadline(past)
	}
}

// NetConn returns what c wraps, as that of tls.Conn does.
func (c *conn) NetConn() net.Conn { return c.Conn }

// A plainConn lets go-redis look, before it uses an idle connection again,
// whether the server has closed it. It does not look beneath TLS.
type plainConn struct {
	*conn
	syscall.Conn
}

func (cs *calls) wrap(nc net.Conn, hello []byte, again bool) net.Conn {
	now := time.Now()
	c := &conn{Conn: nc, calls: cs, role: role{hello: hello, again: again, greeting: greeting{read: hello == nil}, verified: now}, used: now}
	if sc, ok := nc.(syscall.Conn); ok {
		return plainConn{c, sc}
	}
	if secure, ok := nc.(*tls.Conn); ok {
		c.stale = idleconn.Check(secure.NetConn())
	}
	return c
}

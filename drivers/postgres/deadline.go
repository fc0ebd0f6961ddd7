package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/internal/idleconn"
)

// How long a silent network is waited for. lib/pq knows contexts only while it
// dials; the connections it is given here know them all the time.
const (
	connectPatience = 8 * time.Second         // to open a connection, with everything that belongs to it
	queuePatience   = 9 * time.Second         // for a turn, in a queue that does not move
	replyPatience   = 8500 * time.Millisecond // for the first or the next part of a reply, from the start of the operation
	cancelPatience  = 400 * time.Millisecond  // for the request to cancel a statement
	cancelLinger    = 5 * time.Second         // for that request to be closed by the server, which nobody waits for
	cancelledReply  = 600 * time.Millisecond  // for the reply to a statement that is being cancelled
)

// A call is the context of an operation, with what the connection has to know
// about it.
type call struct {
	context.Context
	until time.Time // from then on a silent server is not waited for; zero: as long as the context allows
	reads bool      // the statement waits for no locks, so the server need not be asked to cancel it
}

type callKey struct{}

// Value implements context.Context: connections find the call here.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// callOf returns the call of a context. Without one the context alone counts.
func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{Context: ctx}
}

// A quietCall is a call that database/sql does not watch over, which would take
// a goroutine for every query. The connection does.
type quietCall struct{ *call }

func (quietCall) Deadline() (time.Time, bool) { return time.Time{}, false }
func (quietCall) Done() <-chan struct{}       { return nil }
func (quietCall) Err() error                  { return nil }

// A wire is the network connection below lib/pq.
type wire struct {
	net.Conn
	stale func() bool // whether something happened while nothing was asked

	watch watch       // over the statement under way
	ended atomic.Bool // its deadlines are no longer lib/pq's
}

var errHungUp = errors.New("the server closed the connection")

// Read implements net.Conn. The end of the stream is an error like any other:
// lib/pq would turn it into driver.ErrBadConn, which says that a statement may
// be repeated.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.watch.progress()
	}
	if errors.Is(err, io.EOF) {
		err = &net.OpError{Op: "read", Net: w.RemoteAddr().Network(), Addr: w.RemoteAddr(), Err: errHungUp}
	}
	return n, err
}

// largestWrite is how much is written at a time: what has left is progress, and of a
// large state lib/pq makes one write.
const largestWrite = 256 << 10

// Write implements net.Conn.
func (w *wire) Write(p []byte) (int, error) {
	written := 0
	for {
		n, err := w.Conn.Write(p[written:min(written+largestWrite, len(p))])
		written += n
		if n > 0 {
			w.watch.progress()
		}
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// SetDeadline implements net.Conn, as the two below do.
func (w *wire) SetDeadline(t time.Time) error {
	if w.ended.Load() {
		return nil
	}
	return w.Conn.SetDeadline(t)
}

func (w *wire) SetReadDeadline(t time.Time) error {
	if w.ended.Load() {
		return nil
	}
	return w.Conn.SetReadDeadline(t)
}

func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.ended.Load() {
		return nil
	}
	return w.Conn.SetWriteDeadline(t)
}

// end lets what is under way go on for a moment, and nothing after that.
func (w *wire) end(grace time.Duration) {
	w.ended.Store(true)
	_ = w.Conn.SetDeadline(time.Now().Add(grace))
}

// A watch ends a statement with its context, or when the server is silent for
// too long.
type watch struct {
	silence  *time.Timer
	patience time.Duration      // 0: as long as the context allows
	stop     func() bool        // ends the watch over the context; nil where there is nothing to watch
	cancel   context.CancelFunc // of lib/pq's context; nil: the server is not asked to cancel
}

// begin watches over a statement until done. It returns the context for lib/pq,
// which asks the server to cancel a statement whose context ends, at the price of a
// goroutine for every statement.
func (w *wire) begin(c *call) context.Context {
	t := &w.watch
	ctx := context.WithoutCancel(c.Context)
	if c.reads {
		t.cancel = nil
	} else {
		ctx, t.cancel = context.WithCancel(ctx)
	}
	cancel := t.cancel
	end := func() {
		if cancel != nil {
			cancel()
			w.end(cancelledReply)
		} else {
			w.end(0)
		}
	}
	t.stop = nil
	if c.Done() != nil {
		t.stop = context.AfterFunc(c.Context, end)
	}
	t.patience = 0
	if !c.until.IsZero() {
		t.patience = max(time.Until(c.until), time.Second)
		t.silence = time.AfterFunc(t.patience, end)
	}
	return ctx
}

// done ends the watch and reports whether the connection can be used again.
func (w *wire) done() bool {
	t := &w.watch
	usable := !w.ended.Load()
	if t.stop != nil && !t.stop() {
		usable = false
	}
	if t.patience > 0 && !t.silence.Stop() {
		usable = false
	}
	if t.cancel != nil {
		t.cancel()
	}
	*t = watch{}
	return usable
}

// progress puts the end of the server's silence off.
func (t *watch) progress() {
	if t.patience > 0 {
		t.silence.Reset(t.patience)
	}
}

// An attempt collects the wires that are dialled to open one connection: a
// second one where the server has no TLS, one for each of several hosts.
type attempt struct {
	mu    sync.Mutex
	wires []*wire
	over  bool
}

type attemptKey struct{}

func (a *attempt) add(w *wire) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		_ = w.Close()
		return context.Canceled
	}
	a.wires = append(a.wires, w)
	return nil
}

// finish closes every wire but the one in use, and returns that.
func (a *attempt) finish(succeeded bool) *wire {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	var last *wire
	for i, w := range a.wires {
		if succeeded && i == len(a.wires)-1 {
			last = w
		} else {
			_ = w.Close()
		}
	}
	return last
}

// A canceller carries lib/pq's request to cancel a statement, one goroutine's alone. Its
// caller waits for cancelPatience for the answer, which is the end of the connection.
// The connection stays open beyond that: a PgBouncer that is passing the request on when
// its client goes may end with "bad client state" (1.18; its issue 801 is open).
type canceller struct {
	net.Conn
	sent, answered bool
}

// SetDeadline keeps the deadline that the request began with, which lib/pq would put off
// by connect_timeout.
func (c *canceller) SetDeadline(time.Time) error      { return nil }
func (c *canceller) SetReadDeadline(time.Time) error  { return nil }
func (c *canceller) SetWriteDeadline(time.Time) error { return nil }

func (c *canceller) Write(p []byte) (int, error) {
	c.sent = true
	return c.Conn.Write(p)
}

func (c *canceller) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.answered = err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
	return n, err
}

// Close leaves the connection to a goroutine where the server has not answered.
func (c *canceller) Close() error {
	if !c.sent || c.answered {
		return c.Conn.Close()
	}
	go func() {
		_ = c.Conn.SetReadDeadline(time.Now().Add(cancelLinger))
		_, _ = io.Copy(io.Discard, c.Conn)
		_ = c.Conn.Close()
	}()
	return nil
}

// A dialer makes wires for lib/pq. What it dials outside of an attempt is
// lib/pq's request to cancel a statement, whose caller waits for it.
type dialer struct{ net.Dialer }

// DialContext implements pq.DialerContext.
func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	if a == nil {
		ctx, cancel := context.WithTimeout(ctx, cancelPatience)
		defer cancel()
		deadline, _ := ctx.Deadline()
		c, err := d.Dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		_ = c.SetDeadline(deadline)
		return &canceller{Conn: c}, nil
	}
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: c, stale: idleconn.Check(c)}
	if err := a.add(w); err != nil {
		return nil, err
	}
	return w, nil
}

// Dial implements pq.Dialer, which lib/pq asks for and does not use.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	return d.Dialer.Dial(network, address)
}

// DialTimeout implements pq.Dialer, likewise.
func (d *dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	limited := d.Dialer
	limited.Timeout = timeout
	return limited.Dial(network, address)
}

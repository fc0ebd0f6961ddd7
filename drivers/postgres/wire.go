package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// How long a silent network is waited for. lib/pq knows contexts only while it
// dials; the connections it is given here know them all the time.
const (
	connectPatience = 8 * time.Second         // to open a connection, with everything that belongs to it
	acquirePatience = 8 * time.Second         // for a free connection of the pool
	replyPatience   = 8500 * time.Millisecond // for the first or the next part of a reply, from the start of the operation
	cancelPatience  = 400 * time.Millisecond  // for the request to cancel a statement
	cancelledReply  = 600 * time.Millisecond  // for the reply to a statement that is being cancelled
)

// patienceKey is where a context carries the time.Time from which on an
// operation no longer waits for a silent server.
type patienceKey struct{}

func withPatience(ctx context.Context, until time.Time) context.Context {
	return context.WithValue(ctx, patienceKey{}, until)
}

// A wire is the network connection below lib/pq.
type wire struct {
	net.Conn
	stale func() bool // whether something happened while nothing was asked

	watch *watch      // of the statement under way
	ended atomic.Bool // its deadlines are no longer lib/pq's
}

var errHungUp = errors.New("the server closed the connection")

// Read implements net.Conn. The end of the stream is an error like any other:
// lib/pq would turn it into driver.ErrBadConn, which says that a statement may
// be repeated.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 && w.watch != nil {
		w.watch.progress()
	}
	if errors.Is(err, io.EOF) {
		err = &net.OpError{Op: "read", Net: w.RemoteAddr().Network(), Addr: w.RemoteAddr(), Err: errHungUp}
	}
	return n, err
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
// too long. The statement's own context ends first: then lib/pq asks the server
// to cancel it.
type watch struct {
	cancel   context.CancelFunc
	stop     func() bool
	timer    *time.Timer // nil: as long as the context allows
	patience time.Duration
}

// begin watches over a statement that runs with the context it returns, until
// done.
func (w *wire) begin(ctx context.Context) context.Context {
	t := new(watch)
	ctx, t.cancel = context.WithCancel(ctx)
	t.stop = context.AfterFunc(ctx, func() { w.end(cancelledReply) })
	if until, ok := ctx.Value(patienceKey{}).(time.Time); ok {
		t.patience = max(time.Until(until), time.Second)
		t.timer = time.AfterFunc(t.patience, t.cancel)
	}
	w.watch = t
	return ctx
}

// done ends the watch and reports whether the connection can be used again.
func (w *wire) done() bool {
	t := w.watch
	if t == nil {
		return !w.ended.Load()
	}
	w.watch = nil
	usable := t.stop()
	if t.timer != nil {
		t.timer.Stop()
	}
	t.cancel()
	return usable
}

func (t *watch) progress() {
	if t.timer != nil {
		t.timer.Reset(t.patience)
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
		w := &wire{Conn: c}
		w.end(time.Until(deadline))
		return w, nil
	}
	c, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: c, stale: staleCheck(c)}
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

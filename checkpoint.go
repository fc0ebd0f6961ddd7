// Package checkpoint saves and restores the state of agents, and of other
// long-running conversations and workflows, in a database that is already there:
// Redis, PostgreSQL, DynamoDB, or a SQLite file.
//
// It follows database/sql. A driver registers itself when its package is
// imported, and a string chooses the database:
//
//	import (
//		"github.com/go-ckpt/checkpoint"
//		_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
//	)
//
//	store, err := checkpoint.Open("sqlite", "agents.db?history=20")
//	info, err := store.Save(ctx, "user-123", state)
//	info, err = store.Load(ctx, "user-123", &state)
//
// # Words
//
// A thread is one conversation or workflow, named by the application. A
// checkpoint is one saved state of a thread. Its version counts the saves of the
// thread from 1 without gaps; its id is unique to the save. A namespace is a
// partition of a store: a tenant, an application.
//
// # What every driver guarantees
//
// After a successful Save every Load sees that state or a newer one. A save is
// there entirely or not at all, and is applied at most once, whatever is retried
// on the way. A [Condition] makes a save or a deletion depend on what the thread is,
// and the database decides: of any number of concurrent savers with one id one wins. An expired thread is
// absent from that moment on. [Store.List] and [Store.History] work page by
// page, in order. What comes back equals what went in. Package checkpointtest
// proves it of a driver; package driver holds the rules.
//
// # Errors
//
// Every method returns its failure as an [*Error]; test for the values of this
// package with errors.Is. See [ErrNotFound], [ErrConflict] and the others.
//
// # Concurrency
//
// A Store is safe for concurrent use and meant to be opened once and shared.
package checkpoint

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
)

// Info describes a checkpoint: everything but its state.
type Info = driver.Info

// A Store saves and loads the states of the threads of one namespace. It is safe
// for concurrent use. Make one with [Open], [OpenURL] or [New].
type Store struct {
	conn *connection
	view bool // made by Namespace: Close is the business of another
	settings
}

// connection is what a store shares with its views.
type connection struct {
	backend driver.Backend
	driver  string
	closed  atomic.Bool
	ready   atomic.Bool    // a Ping has succeeded, or none is needed
	pinging chan struct{}  // holds a token while an operation pings
	patcher driver.Patcher // nil where states are saved whole
	states  *stateMemory   // what patches are made against
	counts  counts
}

// New returns a store on a backend that was opened in another way, as a driver's
// New function does for an existing client. A bad option makes every operation
// return [ErrInvalid]. Closing the store closes the backend.
func New(b driver.Backend, opts ...Option) *Store {
	settings := defaultSettings()
	settings.apply(opts...)
	return newStore(b, packageName(b), settings)
}

func newStore(b driver.Backend, driverName string, settings settings) *Store {
	if l, ok := b.(driver.LoggerSetter); ok && settings.log != nil {
		l.SetLogger(settings.log)
	}
	c := &connection{backend: b, driver: driverName, pinging: make(chan struct{}, 1)}
	if _, ok := b.(driver.SelfPreparer); ok {
		c.ready.Store(true)
	}
	if settings.patches && settings.memory > 0 {
		c.patcher, _ = b.(driver.Patcher)
		c.states = newStateMemory(settings.memory)
	}
	return &Store{conn: c, settings: settings}
}

// packageName names a backend that came without a driver's name: the package of
// its type.
func packageName(b driver.Backend) string {
	name, _, _ := strings.Cut(strings.TrimLeft(reflect.TypeOf(b).String(), "*"), ".")
	return name
}

// Format implements fmt.Formatter, so that no verb prints what the store's
// connection holds.
func (s *Store) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "checkpoint.Store(%s, namespace %q)", s.conn.driver, s.namespace)
}

// Namespace returns a view of the store for another namespace, on the same
// connection and with the same settings but for what opts change. Closing the view
// does nothing. A bad name or option makes every operation of the view return
// [ErrInvalid].
func (s *Store) Namespace(ns string, opts ...Option) *Store {
	view := *s
	view.view = true
	view.settings.err = nil
	view.settings.apply(WithNamespace(ns))
	view.settings.apply(opts...)
	if s.err != nil {
		view.err = s.err
	}
	return &view
}

// InNamespace returns the namespace that the store works in.
func (s *Store) InNamespace() string { return s.namespace }

// Ping connects, and prepares or checks what the driver needs in the database,
// such as its tables. It is optional: the first operation does it.
func (s *Store) Ping(ctx context.Context) error {
	ctx, op := s.start(ctx, "ping", "")
	err := s.check(ctx)
	if err == nil {
		if err = s.conn.backend.Ping(ctx); err == nil {
			s.conn.ready.Store(true)
		}
	}
	return op.end(Info{}, err)
}

// Raw calls f with the driver's backend, for what package checkpoint has no method
// for. It returns f's error as it is, and [ErrClosed] without calling f when the
// store was closed. f must not close the backend, nor keep it beyond the store's
// life.
func (s *Store) Raw(f func(driver.Backend) error) error {
	if s.conn.closed.Load() {
		return s.fail("raw", "", ErrClosed)
	}
	return f(s.conn.backend)
}

// Close closes the store and its views. It waits for nothing: operations under
// way finish or return [ErrClosed], and later ones return ErrClosed. Closing a
// closed store does nothing.
func (s *Store) Close() error {
	if s.view || s.conn.closed.Swap(true) {
		return nil
	}
	if s.conn.states != nil {
		s.conn.states.clear()
	}
	return s.fail("close", "", s.conn.backend.Close())
}

// check returns the error that keeps any operation from starting.
func (s *Store) check(ctx context.Context) error {
	if s.conn.closed.Load() {
		return ErrClosed
	}
	if s.err != nil {
		return s.err
	}
	return ctx.Err()
}

// checkThread is check for an operation on a thread.
func (s *Store) checkThread(ctx context.Context, thread string) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	return names.CheckThread(thread)
}

// prepare pings the backend unless that has succeeded before.
func (s *Store) prepare(ctx context.Context) error {
	c := s.conn
	if c.ready.Load() {
		return nil
	}
	select {
	case c.pinging <- struct{}{}:
		defer func() { <-c.pinging }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if c.ready.Load() {
		return nil
	}
	if c.closed.Load() {
		return ErrClosed
	}
	if err := c.backend.Ping(ctx); err != nil {
		return err
	}
	c.ready.Store(true)
	return nil
}

// begin prepares an operation whose arguments have been checked and returns its
// time.
func (s *Store) begin(ctx context.Context) (time.Time, error) {
	now, err := s.clock()
	if err != nil {
		return now, err
	}
	return now, s.prepare(ctx)
}

// clock returns the time of an operation: UTC, in microseconds.
func (s *Store) clock() (time.Time, error) {
	now := s.now().UTC().Truncate(time.Microsecond)
	if y := now.Year(); y < 1970 || y > maxYear {
		return now, fmt.Errorf("%w clock: it says the year %d; 1970 to %d are allowed", ErrInvalid, y, maxYear)
	}
	return now, nil
}

// maxYear keeps every time, expiry included, within what RFC 3339 can write.
const maxYear = 9000

// expiry returns the time at which a save made now expires.
func expiry(now time.Time, ttl time.Duration) time.Time {
	if ttl == 0 {
		return time.Time{}
	}
	return now.Add(max(ttl, time.Microsecond).Truncate(time.Microsecond))
}

func (s *Store) key(thread string) driver.Key {
	return driver.Key{Namespace: s.namespace, Thread: thread}
}

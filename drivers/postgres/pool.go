package postgres

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/internal/backends"
)

// Connections that were idle for idleTime are closed, except for the few that
// are kept, which are taken out and put back more often than that.
const (
	idleTime = 5 * time.Minute
	keepTime = 2 * time.Minute
)

// A server without room for another connection is asked again after a pause, up
// to fullAttempts times while the pool has none at all. While it has some, it asks
// for no further ones for reducedTime.
const (
	fullPause    = 100 * time.Millisecond
	fullAttempts = 20
	reducedTime  = time.Second
)

// A pool is a *sql.DB of the driver's own. The queue in front of it lets as many
// operations through as it may have connections, so that in general database/sql
// has none of them wait.
type pool struct {
	db        *sql.DB
	connector *connector
	min, max  int
	queue     *backends.Queue
	reduced   atomic.Bool // the server has let fewer connections in than max

	mu     sync.Mutex
	keeper *time.Timer
	widen  *time.Timer // ends reduced
	closed bool
}

func newPool(c *connector, most, min int) *pool {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	db.SetConnMaxIdleTime(idleTime)
	return &pool{db: db, connector: c, min: min, max: most, queue: backends.NewQueue(most, queuePatience)}
}

// enter waits for the operation's turn: as long as the context allows, and without
// a deadline as long as the queue moves. What it has waited does not count against
// the server's time to answer.
func (p *pool) enter(c *call) error {
	if err := p.queue.Enter(c); err != nil {
		if err == backends.ErrStuck {
			err = errBusy{p.max}
		}
		return err
	}
	if until := p.queue.Moved().Add(replyPatience); until.After(c.until) {
		c.until = until
	}
	if !time.Now().Before(c.until) {
		p.queue.Leave(false)
		return errBusy{p.max}
	}
	return nil
}

// connect returns a connection to an operation whose turn it is. A server that has
// no room for another one is not a reason to fail as long as the pool has some: the
// operation waits for one of these.
func (p *pool) connect(c *call) (*sql.Conn, error) {
	for attempt := 0; ; attempt++ {
		conn, err := p.conn(c)
		if err == nil || !tooMany(err) || time.Until(c.until) < fullPause || p.reduce() == 0 && attempt >= fullAttempts {
			return conn, err
		}
		if backends.Sleep(c, backends.Backoff(attempt, firstPause, fullPause)) != nil {
			return nil, err
		}
	}
}

func (p *pool) conn(c *call) (*sql.Conn, error) {
	if !p.reduced.Load() {
		return p.db.Conn(c)
	}
	ctx, cancel := context.WithDeadline(c, c.until)
	defer cancel()
	conn, err := p.db.Conn(ctx)
	if err != nil && ctx.Err() != nil && c.Err() == nil {
		err = errBusy{p.db.Stats().MaxOpenConnections}
	}
	return conn, err
}

// tooMany reports whether the server, or a pooler, has no room for another
// connection: too_many_connections, and the limit of a role or database.
func tooMany(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && state.SQLState() == "53300"
}

// reduce bounds the pool for a while to what it has, and returns how many those
// are.
func (p *pool) reduce() int {
	n := p.db.Stats().OpenConnections
	p.mu.Lock()
	defer p.mu.Unlock()
	if n == 0 || n >= p.max || p.closed {
		return n
	}
	p.reduced.Store(true)
	p.db.SetMaxOpenConns(n)
	if p.widen != nil {
		p.widen.Stop()
	}
	p.widen = time.AfterFunc(reducedTime, func() {
		p.db.SetMaxOpenConns(p.max)
		p.db.SetMaxIdleConns(p.max)
		p.reduced.Store(false)
	})
	return n
}

// warm opens the connections that are kept, or uses them so that they do not
// count as idle, and sees to it that this happens again and again until close.
func (p *pool) warm(ctx context.Context) {
	p.mu.Lock()
	if p.keeper == nil && !p.closed && p.min > 0 {
		p.keeper = time.AfterFunc(keepTime, p.keep)
	}
	p.mu.Unlock()
	p.touch(ctx)
}

// touch takes as many connections as are kept, and puts them back. It opens
// those that are missing, as many as the server lets it have, and does not wait for
// one that is in use.
func (p *pool) touch(ctx context.Context) {
	for range p.min {
		if !p.queue.TryEnter() {
			return // busy, and so not idle
		}
		defer p.queue.Leave(false)
		c, err := p.db.Conn(ctx)
		if err != nil {
			return
		}
		defer c.Close()
	}
}

// keep is run by the timer. A server that is away is the next operation's to
// report.
func (p *pool) keep() {
	ctx, cancel := context.WithTimeout(context.Background(), connectPatience)
	defer cancel()
	p.touch(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.keeper.Reset(keepTime)
	}
}

// renew has every connection that is open now replaced before its next use.
func (p *pool) renew() { p.connector.era.Add(1) }

// close closes what is idle at once and the rest when it is put back.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, timer := range []*time.Timer{p.keeper, p.widen} {
		if timer != nil {
			timer.Stop()
		}
	}
	p.queue.Close()
	_ = p.db.Close()
}

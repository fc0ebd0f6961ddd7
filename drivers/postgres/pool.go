package postgres

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

// Connections that were idle for idleTime are closed, except for the few that
// are kept, which are taken out and put back more often than that.
const (
	idleTime = 5 * time.Minute
	keepTime = 2 * time.Minute
)

// A pool is a *sql.DB of the driver's own.
type pool struct {
	db        *sql.DB
	connector *connector
	min       int
	slots     chan struct{} // one for each connection that is in use; database/sql never has to wait

	mu     sync.Mutex
	keeper *time.Timer
	closed bool
}

func newPool(c *connector, most, min int) *pool {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	db.SetConnMaxIdleTime(idleTime)
	return &pool{db: db, connector: c, min: min, slots: make(chan struct{}, most)}
}

// acquire returns a connection. It waits for a free one until the call's context
// ends or its patience.
func (p *pool) acquire(c *call) (*sql.Conn, error) {
	select {
	case p.slots <- struct{}{}:
	default:
		timeout := time.NewTimer(min(time.Until(c.until), acquirePatience))
		defer timeout.Stop()
		select {
		case p.slots <- struct{}{}:
		case <-c.Done():
			return nil, c.Err()
		case <-timeout.C:
			return nil, errBusy{cap(p.slots)}
		}
	}
	conn, err := p.db.Conn(c)
	if err != nil {
		<-p.slots
	}
	return conn, err
}

// release puts a connection back.
func (p *pool) release(conn *sql.Conn) {
	_ = conn.Close()
	<-p.slots
}

// warm opens the connections that are kept, or uses them so that they do not
// count as idle, and sees to it that this happens again and again until close.
func (p *pool) warm(ctx context.Context) error {
	p.mu.Lock()
	if p.keeper == nil && !p.closed && p.min > 0 {
		p.keeper = time.AfterFunc(keepTime, p.keep)
	}
	p.mu.Unlock()
	return p.touch(ctx)
}

// touch takes as many connections as are kept, and puts them back. It opens
// those that are missing, and does not wait for one that is in use.
func (p *pool) touch(ctx context.Context) error {
	for range p.min {
		select {
		case p.slots <- struct{}{}:
		default:
			return nil // busy, and so not idle
		}
		c, err := p.db.Conn(ctx)
		if err != nil {
			<-p.slots
			return err
		}
		defer p.release(c)
	}
	return nil
}

// keep is run by the timer. A server that is away is the next operation's to
// report.
func (p *pool) keep() {
	ctx, cancel := context.WithTimeout(context.Background(), connectPatience)
	defer cancel()
	_ = p.touch(ctx)
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
	if p.keeper != nil {
		p.keeper.Stop()
	}
	_ = p.db.Close()
}

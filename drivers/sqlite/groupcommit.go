package sqlite

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
	codes "modernc.org/sqlite/lib"
)

// SQLite has one writer at a time, and a durable commit waits for the disk. So
// all that waits to be written is written in one transaction: whoever writes
// puts the write in a queue and waits, and one goroutine, which lives as long
// as there is something in the queue, commits it batch by batch.
//
// A batch is bounded in writes, so that the first of them does not wait long
// for the last, and in bytes.
const (
	maxBatch      = 256
	maxBatchBytes = 16 << 20
)

// maxGather is the longest that a batch is held back for those who may join it.
const maxGather = time.Millisecond

// noPayload is the size of the payload of a write that has none.
const noPayload = -1

type writer struct {
	db       *database
	inflight *backends.Inflight
	overfull bool // the disk was full and the log could not be emptied yet; the goroutine's own
	behind   int  // the length of the queue when the last batch was committed; the goroutine's own

	mu      sync.Mutex // guards what follows, and the fields of writes and batches that say so
	queue   []*write
	running bool
}

// A write is one caller's part of a batch.
type write struct {
	ctx      context.Context
	bytes    int
	deadline time.Time                // for getting the lock
	running  sync.Mutex               // held while run runs
	run      func(*transaction) error // guarded by running; nil once its caller has left; may be called again when the transaction was rolled back
	done     chan error               // receives the outcome
	err      error                    // of run, until the batch is committed
	batch    *batch                   // guarded by writer.mu; nil while it is in the queue
	left     bool                     // guarded by writer.mu: nobody waits any more
}

// A batch is what one transaction commits.
type batch struct {
	ctx     context.Context // ends when the last one waiting has left
	cancel  context.CancelFunc
	waiting int // guarded by writer.mu
	writes  []*write

	uncertain bool // its commit has failed, and may have been made all the same
}

// bytes returns the size of the payloads in the batch.
func (b *batch) bytes() (n int) {
	for _, op := range b.writes {
		n += max(op.bytes, 0)
	}
	return n
}

func newWriter(d *database, inflight *backends.Inflight) *writer {
	return &writer{db: d, inflight: inflight}
}

// do runs run in a transaction and returns when that is durable, or when ctx
// ends, or when another process has held the lock for too long. bytes is the
// size of the payload that run writes, whose memory it does not touch any more
// when do has returned. With noPayload, run must hold nothing of the caller's:
// then nobody waits for a statement of it that takes long.
//
// What run returns is what do returns, unless the database failed. When run
// returns an error it must not have changed anything, unless it comes from the
// transaction.
func (w *writer) do(ctx context.Context, bytes int, run func(*transaction) error) error {
	op := &write{ctx: ctx, bytes: bytes, deadline: time.Now().Add(w.db.busyTimeout), run: run, done: make(chan error, 1)}
	w.mu.Lock()
	w.queue = append(w.queue, op)
	if !w.running {
		w.running = true
		go w.drain()
	}
	w.mu.Unlock()
	select {
	case err := <-op.done:
		return err
	case <-ctx.Done():
		w.leave(op)
		return ctx.Err()
	}
}

// leave gives a write up. Its transaction may be committed all the same.
func (w *writer) leave(op *write) {
	w.mu.Lock()
	op.left = true
	if b := op.batch; b != nil {
		if b.waiting--; b.waiting == 0 {
			b.cancel()
		}
	}
	w.mu.Unlock()
	if op.bytes == noPayload {
		return
	}
	op.running.Lock() // a statement that reads the caller's memory comes to its end
	op.run = nil
	op.running.Unlock()
}

// drain commits what is in the queue until it is empty.
func (w *writer) drain() {
	for b := w.next(); b != nil; b = w.next() {
		n, began := len(b.writes), time.Now()
		w.commit(b)
		w.gather(n, min(time.Since(began)/4, maxGather))
	}
}

// gather gives those whose n writes have just been committed a moment, for they
// mostly have another: without it a batch of few would follow each batch of many,
// and wait for the disk as long. It is over as soon as all of them are in the queue
// beside those that were, so that nobody waits for it who is alone, and bounded for
// those who are gone.
func (w *writer) gather(n int, atMost time.Duration) {
	runtime.Gosched()
	if n == 1 && w.behind == 0 {
		return
	}
	want := min(n+w.behind, maxBatch)
	for began := time.Now(); w.queued() < want && time.Since(began) < atMost; {
		runtime.Gosched()
	}
}

// queued returns the length of the queue.
func (w *writer) queued() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}

// next takes a batch out of the queue, or returns nil if it is empty: then the
// next write starts another goroutine.
func (w *writer) next() *batch {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, bytes := 0, 0
	var writes []*write
	for _, op := range w.queue {
		if len(writes) == maxBatch || len(writes) > 0 && bytes+op.bytes > maxBatchBytes {
			break
		}
		if n++; !op.left {
			writes = append(writes, op)
			bytes += max(op.bytes, 0)
		}
	}
	w.queue = append(w.queue[:0], w.queue[n:]...)
	clear(w.queue[len(w.queue):cap(w.queue)])
	if len(writes) == 0 {
		w.running = false
		return nil
	}
	return w.newBatch(writes)
}

// newBatch makes a batch of writes that somebody waits for, and keeps the
// database open for it, even if nobody waits any more. w.mu is held.
func (w *writer) newBatch(writes []*write) *batch {
	w.inflight.Stay()
	b := &batch{writes: writes, waiting: len(writes)}
	b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(writes[0].ctx))
	for _, op := range writes {
		op.batch = b
	}
	return b
}

// commit commits a batch and tells everybody in it. When the database fails
// with several writes in hand, each is tried by itself: what one of them met,
// a damaged row for example, is not the others' concern. None is tried again that may
// have been committed: those after it may have dropped what it would be recognised by.
func (w *writer) commit(b *batch) {
	err := w.attempt(b)
	w.behind = w.queued()
	b.cancel()
	w.inflight.Leave() // before anybody who waits goes on and closes the backend
	if err == nil {
		for _, op := range b.writes {
			op.done <- op.err
		}
		return
	}
	if len(b.writes) == 1 || b.uncertain || err == driver.ErrClosed {
		for _, op := range b.writes {
			op.done <- w.db.explain(op.ctx, err)
		}
		return
	}
	for _, op := range b.writes {
		if single := w.alone(op); single != nil {
			w.commit(single)
		}
	}
}

// alone makes a batch of one write, or returns nil if nobody waits for it.
func (w *writer) alone(op *write) *batch {
	w.mu.Lock()
	defer w.mu.Unlock()
	if op.left {
		return nil
	}
	return w.newBatch([]*write{op})
}

// attempt runs the batch in one transaction, again as long as another process
// holds the lock. Writes whose time for that is over leave the batch.
//
// A large batch starts with an empty log, and is refused where the disk has no room
// for it. After one that has filled the disk all the same the log is emptied, at once
// or as soon as no reader is in it: what it has written there would stay.
func (w *writer) attempt(b *batch) error {
	bytes := b.bytes()
	large := bytes >= largeBatch
	if (w.overfull || large) && w.db.fold(b.ctx) {
		w.overfull = false
	}
	if large {
		if err := w.db.checkSpace(bytes); err != nil {
			return err
		}
	}
	for n := 0; ; n++ {
		err := w.once(b)
		if large && code(err) == codes.SQLITE_FULL {
			w.overfull = !w.db.fold(b.ctx)
		}
		if !busy(err) {
			return err
		}
		if w.expire(b, err); len(b.writes) == 0 {
			return nil
		}
		select {
		case <-b.ctx.Done():
			return b.ctx.Err()
		case <-w.inflight.Closed():
			return driver.ErrClosed
		case <-time.After(pause(n)):
		}
	}
}

// expire takes out the writes that have waited long enough.
func (w *writer) expire(b *batch, err error) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	left := b.writes[:0]
	for _, op := range b.writes {
		if now.Before(op.deadline) {
			left = append(left, op)
			continue
		}
		if op.batch = nil; !op.left {
			b.waiting--
		}
		op.done <- w.db.explain(op.ctx, err)
	}
	b.writes = left
}

// once runs the batch in one transaction. An error means that nothing of it
// was written, or, if it is from the commit, that nobody knows.
func (w *writer) once(b *batch) error {
	if err := w.db.file.check(); err != nil {
		return err
	}
	tx, err := w.db.beginTx(b.ctx)
	if err != nil {
		return err
	}
	defer tx.sql.Rollback() // does nothing after a commit
	for _, op := range b.writes {
		op.running.Lock()
		if op.run != nil {
			op.err = op.run(tx)
		}
		op.running.Unlock()
		if tx.err != nil {
			return tx.err
		}
	}
	err = tx.sql.Commit()
	if err == nil {
		err = w.db.file.check() // it may have been committed to a file that is lost
	}
	b.uncertain = err != nil && !busy(err) && code(err) != codes.SQLITE_FULL
	return err
}

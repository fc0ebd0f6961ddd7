package backends

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// A Queue lets a bounded number of operations through to a database at once and
// keeps the others in the order in which they came. Under overload a database then
// sees the load that it carries best, and no caller is refused whose context allows
// waiting.
//
// A queue that does not move is a database that is not there: an operation waits
// until its context ends or nothing has got through for as long as the patience
// says, since it came or since the last one did.
type Queue struct {
	patience time.Duration

	mu      sync.Mutex
	free    int
	waiting list.List // of chan struct{}, closed when its turn has come
	moved   time.Time // the last operation that the database has answered
	closed  bool
}

// NewQueue returns a queue for n operations at once, n at least 1.
func NewQueue(n int, patience time.Duration) *Queue {
	return &Queue{free: max(n, 1), patience: patience}
}

// A QueueError says why an operation was not let through.
type QueueError int

const (
	// ErrStuck: nothing has got through for the queue's patience.
	ErrStuck QueueError = iota
	// ErrQueueClosed: the queue was closed.
	ErrQueueClosed
)

func (e QueueError) Error() string {
	if e == ErrQueueClosed {
		return "the queue is closed"
	}
	return "no operation before this one has been answered"
}

// Enter waits for the operation's turn. After a nil error Leave has to follow.
// Other errors are the context's, ErrStuck and ErrQueueClosed; nothing was sent
// then.
func (q *Queue) Enter(ctx context.Context) error {
	if err := Ended(ctx); err != nil {
		return err
	}
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return ErrQueueClosed
	}
	if q.free > 0 && q.waiting.Len() == 0 {
		q.free--
		q.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	place := q.waiting.PushBack(turn)
	q.mu.Unlock()
	return q.wait(ctx, turn, place)
}

// TryEnter is Enter for what need not wait. After true Leave has to follow.
func (q *Queue) TryEnter() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.free == 0 || q.waiting.Len() > 0 {
		return false
	}
	q.free--
	return true
}

// Answered says that the database has answered an operation that goes on with
// further requests: the queue moves.
func (q *Queue) Answered() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.moved = time.Now()
}

// Moved returns when the database has last answered an operation of the queue, the
// zero time if it never has.
func (q *Queue) Moved() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.moved
}

func (q *Queue) wait(ctx context.Context, turn chan struct{}, place *list.Element) error {
	came := time.Now()
	timer := time.NewTimer(q.patience)
	defer timer.Stop()
	for {
		var reason error
		select {
		case <-turn:
			q.mu.Lock()
			closed := q.closed
			q.mu.Unlock()
			if closed {
				return ErrQueueClosed
			}
			return nil
		case <-ctx.Done():
			reason = ctx.Err()
		case <-timer.C:
			reason = ErrStuck
		}
		q.mu.Lock()
		if reason == ErrStuck && q.moved.After(came) {
			if left := q.patience - time.Since(q.moved); left > 0 {
				q.mu.Unlock()
				timer.Reset(left)
				continue
			}
		}
		select {
		case <-turn: // it came in the same moment: the next one's
			if !q.closed {
				q.next()
			}
		default:
			q.waiting.Remove(place)
		}
		q.mu.Unlock()
		return reason
	}
}

// Leave ends an operation. answered says that the database has answered it, with
// whatever: the queue moves.
func (q *Queue) Leave(answered bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if answered {
		q.moved = time.Now()
	}
	if !q.closed {
		q.next()
	}
}

// next hands a place on to the operation that came first. q.mu is held.
func (q *Queue) next() {
	first := q.waiting.Front()
	if first == nil {
		q.free++
		return
	}
	close(q.waiting.Remove(first).(chan struct{}))
}

// Close lets no caller through any more, and ends the waiting.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for e := q.waiting.Front(); e != nil; e = q.waiting.Front() {
		close(q.waiting.Remove(e).(chan struct{}))
	}
}

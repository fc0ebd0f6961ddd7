package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/go-ckpt/checkpoint"
)

// renewals renews the lease until its context ends. Time is the process's own
// monotonic clock.
func (l *Lease) renewals() {
	defer close(l.ended)
	defer l.giveUp.Stop()
	for wait(l.ctx, time.Until(l.sent.Add(l.ttl/3))) == nil {
		if !l.renew() {
			l.cancel(ErrLost) // unless it was released
			return
		}
		l.giveUp.Reset(time.Until(l.until()))
	}
}

// renew renews the lease once, and reports whether it may still be held. What fails
// is repeated under the same id, so that a renewal whose reply was lost is found to
// have been applied. It counts from when it was sent first, since that is the time
// that others see.
func (l *Lease) renew() bool {
	id, first := rand.Text(), time.Now()
	l.pending = id
	for {
		err := l.put(l.ctx, id, checkpoint.IfMatch(l.id))
		switch {
		case err == nil:
			l.id, l.sent, l.pending = id, first, ""
			return true
		case errors.Is(err, checkpoint.ErrConflict):
			l.taken = true
			return false
		case errors.Is(err, checkpoint.ErrClosed):
			return false
		}
		if wait(l.ctx, min(l.ttl/20, time.Second)) != nil {
			return false
		}
	}
}

// wait waits for d, or returns ctx's error when that ends before.
func wait(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

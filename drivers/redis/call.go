package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

const (
	// answerWithin is how long one command may take to be sent and answered,
	// unless the words say less.
	answerWithin = 4 * time.Second

	// patience is how long an operation may take with all its repetitions,
	// where the caller's context allows that long.
	patience = 9 * time.Second

	// refusals of a server that is failing over, loading or moving slots are
	// worth waiting for this long.
	waitForServer = 7 * time.Second
)

// begin starts every operation. A closed backend is reported before anything
// else, and a context that has ended means that nothing happens.
func (b *backend) begin(ctx context.Context) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	return ended(ctx)
}

// ended returns the error of a context that has ended. A deadline counts from
// its moment on, not from when its timer is served.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) {
		return context.DeadlineExceeded
	}
	return nil
}

// do runs f, which sends one command or pipeline and reads the answers, and
// runs it again while repeating can help and can do no harm: after an answer
// that says "not now", and after none if again allows it. f makes new commands
// each time and touches nothing else until it returns, see apart.
//
// go-redis repeats nothing itself, see once.
func (b *backend) do(ctx context.Context, again func() bool, f func(context.Context) error) error {
	start := time.Now()
	limit := start.Add(patience)
	for attempt := 0; ; attempt++ {
		err := b.attempt(ctx, start, limit, attempt, f)
		if err == nil {
			return nil
		}
		wait := false
		if !b.closed.Load() && ended(ctx) == nil && !errors.Is(err, errAbandoned) && !isOurs(err) {
			switch b.judge(err) {
			case later:
				wait = time.Since(start) < waitForServer
			case unreachable:
				wait = attempt < b.retries && again() && time.Since(start) < waitForServer
				b.reload(ctx)
			}
		}
		if !wait || sleep(ctx, b.backoff(attempt)) != nil {
			return err
		}
	}
}

// attempt runs f once, bounded in time.
func (b *backend) attempt(ctx context.Context, start, limit time.Time, attempt int, f func(context.Context) error) error {
	if b.calls == nil {
		return b.apart(ctx, limit, f)
	}
	if attempt == 0 {
		// Waiting for a connection, and making one, have limits of their own.
		return b.calls.run(ctx, start.Add(b.within), f)
	}
	bounded, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	return b.calls.run(bounded, time.Now().Add(b.within), f)
}

var errAbandoned = fmt.Errorf("%w: the server does not answer", driver.ErrUnavailable)

// apart runs f in a goroutine of its own and does not wait for it longer than
// ctx and limit allow: a client that was handed to New may take no notice of a
// context while it reads and writes. The goroutine ends when the client's own
// timeouts do.
func (b *backend) apart(ctx context.Context, limit time.Time, f func(context.Context) error) error {
	bounded, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f(bounded) }()
	select {
	case err := <-done:
		return err
	case <-bounded.Done():
		select {
		case err := <-done:
			return err
		default:
		}
		if err := ended(ctx); err != nil {
			return err
		}
		return errAbandoned
	}
}

// backoff grows from the shortest to the longest pause and is random in its
// upper half, so that clients that failed together do not come back together.
func (b *backend) backoff(attempt int) time.Duration {
	d := min(b.longestPause, b.shortestPause<<min(attempt, 10))
	return d/2 + rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// always allows repeating a command without effect, or with one that a
// repetition does not add to.
func always() bool { return true }

package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
)

const (
	// answerWithin is for how long the server may be silent while one command is
	// sent and answered, unless the words say less.
	answerWithin = 4 * time.Second

	// patience is how long an operation may take with all its repetitions,
	// where the caller's context allows that long.
	patience = 9 * time.Second

	// refusals of a server that is failing over, loading or moving slots are
	// worth waiting for this long.
	waitForServer = 7 * time.Second
)

// do runs f, which sends one command or pipeline and reads the answers, and
// runs it again while repeating can help and can do no harm: after an answer
// that says "not now", and after none if again allows it. What f finds out it
// returns, and writes nowhere else: see apart.
//
// go-redis repeats nothing by itself, see script.go.
func do[T any](ctx context.Context, b *backend, again func() bool, f func(context.Context) (T, error)) (T, error) {
	return doBy(ctx, b, false, again, func(ctx context.Context, _ sender) (T, error) { return f(ctx) })
}

// doBy is do for an f that sends by a sender. If small, the commands and their answers
// are small, and travel with those of other callers where all connections are in use.
// What has to be repeated after that has a connection of its own.
func doBy[T any](ctx context.Context, b *backend, small bool, again func() bool, f func(context.Context, sender) (T, error)) (T, error) {
	start := time.Now()
	small = small && b.batched()
	entered, answered := small && b.enterAlone(), false
	defer func() {
		if entered {
			b.leave(answered)
		}
	}()
	for n := 0; ; n++ {
		var found T
		var err error
		if n == 0 && small && !entered {
			found, err = f(ctx, b.join)
			start = b.patientFrom(start)
		} else {
			if !entered {
				if start, err = b.enter(ctx, start); err != nil {
					return found, err
				}
				entered = true
			}
			found, err = attempt(ctx, b, start, n, func(ctx context.Context) (T, error) { return f(ctx, b.alone) })
		}
		if err == nil {
			answered = true
			return found, nil
		}
		_, answered = answer(err)
		repeat := false
		if !b.closed.Load() && backends.Ended(ctx) == nil && !backends.Classified(err) {
			switch b.judge(err) {
			case later:
				repeat = true
			case unreachable:
				b.reload(ctx)
				// A server that answers others has no room for one more connection.
				few := n < b.retries || b.retries > 0 && b.idle() < patienceWith(err)
				repeat = few && again()
			}
		}
		if !repeat || time.Since(start) > waitForServer || backends.Sleep(ctx, backends.Backoff(n, b.shortestPause, b.longestPause)) != nil {
			return found, err
		}
	}
}

// enter waits for a place in the queue, which bounds what is sent to the server
// at once, and returns the time from which on the patience of an operation that came
// at the time given counts: a queue that moves is no server that does not answer. A
// place is kept until the operation is over, so that repetitions add nothing to the
// load.
func (b *backend) enter(ctx context.Context, came time.Time) (start time.Time, err error) {
	switch err := b.queue.Enter(ctx); err {
	case nil:
		return b.patientFrom(came), nil
	case backends.ErrQueueClosed:
		return came, driver.ErrClosed
	case backends.ErrStuck:
		return came, fmt.Errorf("%w: the server answers none of the operations before this one", driver.ErrUnavailable)
	default:
		return came, err
	}
}

// patientFrom returns the time from which on the patience of an operation counts that
// came at the time given.
func (b *backend) patientFrom(came time.Time) time.Time {
	if moved := time.Unix(0, b.moved.Load()); moved.After(came) {
		return moved
	}
	return came
}

func (b *backend) leave(answered bool) {
	if answered {
		b.moved.Store(time.Now().UnixNano())
	}
	b.queue.Leave(answered)
}

// idle is how long ago the server last answered.
func (b *backend) idle() time.Duration { return time.Since(time.Unix(0, b.moved.Load())) }

// patienceWith is for how long a server that answered others may have been silent and
// still be worth another attempt: where it takes connections and ends them, it may have
// too many, and be slow to tell.
func patienceWith(err error) time.Duration {
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return time.Second
	}
	return waitForServer
}

// attempt runs f once, bounded in time.
func attempt[T any](ctx context.Context, b *backend, start time.Time, n int, f func(context.Context) (T, error)) (found T, err error) {
	if b.calls == nil {
		return apart(ctx, start.Add(patience), f)
	}
	if n > 0 || time.Since(start) > time.Second {
		// Otherwise waiting for a connection and making one have limits of
		// their own that leave time for what follows.
		bounded, cancel := context.WithDeadline(ctx, start.Add(patience))
		defer cancel()
		ctx = bounded
	}
	err = b.calls.run(ctx, b.within, func(ctx context.Context) error {
		found, err = f(ctx)
		return err
	})
	return found, err
}

var errAbandoned = fmt.Errorf("%w: the server does not answer", driver.ErrUnavailable)

// apart runs f in a goroutine of its own and does not wait for it longer than
// ctx and limit allow: a client that was handed to New may take no notice of a
// context while it reads and writes. The goroutine ends when the client's own
// timeouts do.
func apart[T any](ctx context.Context, limit time.Time, f func(context.Context) (T, error)) (T, error) {
	type result struct {
		found T
		err   error
	}
	bounded, cancel := context.WithDeadline(ctx, limit)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		found, err := f(bounded)
		done <- result{found, err}
	}()
	select {
	case r := <-done:
		return r.found, r.err
	case <-bounded.Done():
	}
	select {
	case r := <-done:
		return r.found, r.err
	default:
	}
	var none T
	if err := backends.Ended(ctx); err != nil {
		return none, err
	}
	return none, errAbandoned
}

// always allows repeating a command without effect, or with one that a
// repetition does not add to.
func always() bool { return true }

// reload makes a cluster client look for new masters: it does so by itself when
// a node redirects it, but not when a node is gone.
func (b *backend) reload(ctx context.Context) {
	if b.cluster != nil {
		b.cluster.ReloadState(ctx)
	}
}

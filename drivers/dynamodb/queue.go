package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/smithy-go"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
)

// Under overload a backend sends no more than the table carries: MaxConnections
// requests at once, since an operation sends one at a time and keeps its place in the
// queue until it is over, pauses and repetitions included.

// Repetitions of refused requests have a budget, as the SDK's own do and of the same
// size: each costs 5 of 500 tokens, and each request that succeeds returns one. A
// hundred in a row are repeated, and then one for five that succeed, so that a table
// that refuses everything sees no more requests than there are operations.
const (
	budgetTokens = 500
	retryCost    = 5
	successGain  = 1
)

// enter waits for the operation's turn, as long as the context allows, and without a
// deadline as long as the queue moves. It returns for how long the database has not
// answered anybody meanwhile: the rest of the waiting does not count against it.
func (b *backend) enter(ctx context.Context) (silence time.Duration, err error) {
	came := time.Now()
	switch err := b.queue.Enter(ctx); err {
	case nil:
	case backends.ErrQueueClosed:
		return 0, driver.ErrClosed
	case backends.ErrStuck:
		return 0, fmt.Errorf("%w: DynamoDB answers none of the %d requests under way (max_connections); check the network and the table", driver.ErrUnavailable, b.cfg.connections())
	default:
		return 0, err
	}
	if moved := b.queue.Moved(); moved.After(came) {
		came = moved
	}
	return time.Since(came), nil
}

// slowness is how much longer a request may take that is not answered while others
// are, or whose answer is still coming: the database is overloaded then, or the line
// slow, and not gone.
const slowness = 20 * time.Second

// patience returns a context for a request that is sent now. It ends when the
// database has sent nobody anything for within, counted from when the request before it
// was sent if that was not answered, and at the latest after within and slowness.
func (op *operation) patience(ctx context.Context, within time.Duration) (context.Context, context.CancelFunc) {
	if op.answered || op.since.IsZero() {
		op.since = time.Now().Add(-op.silence)
		op.silence, op.answered = 0, false
	}
	since := op.since
	last := since.Add(within + slowness)
	ctx, cancel := context.WithCancel(ctx)
	var timer *time.Timer
	timer = time.AfterFunc(within, func() {
		until := since
		if moved := op.queue.Moved(); moved.After(until) {
			until = moved
		}
		if until = until.Add(within); until.After(last) {
			until = last
		}
		if left := time.Until(until); left > 0 {
			timer.Reset(left)
		} else {
			cancel()
		}
	})
	timer.Reset(time.Until(since.Add(within)))
	return ctx, func() {
		timer.Stop()
		cancel()
	}
}

// heard notes the result of a request: an answer moves the queue, and a success adds
// to the budget.
func (op *operation) heard(err error) {
	if err == nil {
		op.budget.AddTokens(successGain)
	}
	if _, refusal := errors.AsType[smithy.APIError](err); err == nil || refusal {
		op.answered = true
		op.queue.Answered()
	}
}

// again pauses before another attempt, counted from 0, at a request that was refused
// for now. It returns an error where there is to be none.
func (op *operation) again(ctx context.Context, attempt int) error {
	if err := backends.Ended(ctx); err != nil {
		return err
	}
	if attempt >= refusals {
		return op.throttled()
	}
	if _, err := op.budget.GetToken(ctx, retryCost); err != nil {
		return op.throttled()
	}
	return pause(ctx, attempt)
}

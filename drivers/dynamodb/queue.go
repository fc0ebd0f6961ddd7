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

// until returns how long a request may take that has to be answered within some
// time: from now on, or from when the one before it was sent that was not answered.
func (op *operation) until(within time.Duration) time.Time {
	if op.answered || op.since.IsZero() {
		op.since = time.Now().Add(-op.silence)
		op.silence, op.answered = 0, false
	}
	return op.since.Add(within)
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

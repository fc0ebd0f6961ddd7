// Approval is a workflow that stops for a decision of a human, for days if it must,
// and goes on in whichever process the decision arrives. A lease keeps two workers
// from doing the dear part at once, and a condition on each save makes sure that
// one that comes too late changes nothing.
package approval

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/lease"
)

// Stages of a payment.
const (
	Waiting  = "waiting for a decision"
	Approved = "approved"
	Rejected = "rejected"
	Paid     = "paid"
)

// Payment is the state of a thread.
type Payment struct {
	Stage  string `json:"stage"`
	Amount int    `json:"amount"`
	By     string `json:"by,omitempty"` // who decided
}

// ErrDecided: the decision has been made already.
var ErrDecided = errors.New("already decided")

// Propose saves the workflow where it waits. Nothing of it stays in the process.
func Propose(ctx context.Context, s *checkpoint.Store, thread string, amount int) error {
	_, err := s.Save(ctx, thread, Payment{Stage: Waiting, Amount: amount}, checkpoint.IfAbsent())
	return err
}

// Decide records the decision, once: of two that arrive together one wins.
func Decide(ctx context.Context, s *checkpoint.Store, thread, by string, approve bool) error {
	payment, info, err := checkpoint.Get[Payment](ctx, s, thread)
	if err != nil {
		return err
	}
	if payment.Stage != Waiting {
		return fmt.Errorf("%w: %s by %s", ErrDecided, payment.Stage, payment.By)
	}
	payment.By, payment.Stage = by, Rejected
	if approve {
		payment.Stage = Approved
	}
	_, err = s.Save(ctx, thread, payment, checkpoint.IfMatch(info.ID))
	if errors.Is(err, checkpoint.ErrConflict) {
		return ErrDecided
	}
	return err
}

// Resume goes on with a workflow whose decision has been made. Any number of workers
// may call it for any thread; one of them pays. It reports whether it was this one.
func Resume(ctx context.Context, s *checkpoint.Store, thread string, pay func(context.Context, Payment) error) (bool, error) {
	held, err := lease.Acquire(ctx, s, thread, lease.Options{})
	if errors.Is(err, lease.ErrHeld) {
		return false, nil // another worker is at it
	}
	if err != nil {
		return false, err
	}
	defer held.Release(context.WithoutCancel(ctx)) // of a lease that was lost there is nothing to release

	// Load under the lease: another worker may have finished before it was ours.
	payment, info, err := checkpoint.Get[Payment](held.Context(), s, thread)
	if err != nil || payment.Stage != Approved {
		return false, err
	}
	// The context ends when the lease is lost. A crash between paying and saving pays
	// again: pay gives the bank the thread's name as the key by which it knows that.
	if err := pay(held.Context(), payment); err != nil {
		return false, err
	}
	payment.Stage = Paid
	_, err = s.Save(held.Context(), thread, payment, checkpoint.IfMatch(info.ID))
	return err == nil, err
}

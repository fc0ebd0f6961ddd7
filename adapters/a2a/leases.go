package a2a

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2asrv/workqueue"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/lease"
)

// Leases is a workqueue.LeaseManager on a checkpoint store, for servers that share
// their work.
type Leases struct {
	store *checkpoint.Store
	ttl   time.Duration
}

var _ workqueue.LeaseManager = (*Leases)(nil)

// NewLeases returns a lease manager. A lease outlives a server that has died by the
// TTL at most; 0 is lease.DefaultTTL.
func NewLeases(store *checkpoint.Store, ttl time.Duration) *Leases {
	if ttl == 0 {
		ttl = lease.DefaultTTL
	}
	return &Leases{store, ttl}
}

// Acquire implements workqueue.LeaseManager: one execution and one cancellation of a
// task at a time, and no execution begins during a cancellation.
func (m *Leases) Acquire(ctx context.Context, p *workqueue.Payload) (workqueue.Lease, error) {
	id := string(p.TaskID)
	thread := "cancel/" + id
	if p.Type == workqueue.PayloadTypeExecute {
		thread = "execute/" + id
	}
	l, err := lease.Acquire(ctx, m.store, thread, lease.Options{TTL: m.ttl})
	if errors.Is(err, lease.ErrHeld) {
		return nil, fmt.Errorf("a2a: task %q: %w: %w", id, workqueue.ErrLeaseAlreadyTaken, err)
	}
	if err != nil {
		return nil, err
	}
	if p.Type == workqueue.PayloadTypeExecute { // looked at afterwards, so that none slips in between
		cancelling, err := lease.Holder(ctx, m.store, "cancel/"+id)
		if err != nil || cancelling != nil {
			_ = l.Release(context.WithoutCancel(ctx))
			if err == nil {
				err = fmt.Errorf("a2a: task %q is being cancelled: %w: %w", id, workqueue.ErrLeaseAlreadyTaken, cancelling)
			}
			return nil, err
		}
	}
	return &heldLease{l, p.TaskID, m.ttl}, nil
}

// heldLease is renewed by package lease; its heartbeats tell whether it is still held.
type heldLease struct {
	*lease.Lease
	task a2a.TaskID
	ttl  time.Duration
}

var _ workqueue.Heartbeater = (*heldLease)(nil)

func (l *heldLease) TaskID() a2a.TaskID { return l.task }

// Release implements workqueue.Lease. When it fails, the lease is free within the TTL.
func (l *heldLease) Release(ctx context.Context) { _ = l.Lease.Release(context.WithoutCancel(ctx)) }

func (l *heldLease) HeartbeatInterval() time.Duration { return l.ttl / 10 }

func (l *heldLease) Heartbeat(context.Context) error {
	if err := context.Cause(l.Context()); err != nil {
		return fmt.Errorf("a2a: task %q: %w", l.task, err)
	}
	return nil
}

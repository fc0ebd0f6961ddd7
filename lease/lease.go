// Package lease lets one worker at a time work on a thread, for work that is dear to
// do twice: a run of an agent, a bill, a call to a model.
//
//	l, err := lease.Acquire(ctx, store, "user-123", lease.Options{})
//	if errors.Is(err, lease.ErrHeld) {
//		return nil // another worker is at it
//	}
//	if err != nil {
//		return err
//	}
//	defer l.Release(context.WithoutCancel(ctx))
//	return run(l.Context(), store, "user-123")
//
// A lease is a record in the same database that expires unless it is renewed, which
// happens in the background. It works on every driver and needs nothing beside the
// store.
//
// # What it does not give
//
// A lease keeps workers apart as long as their processes run and their clocks agree
// to within a quarter of the TTL. It does not stop a process that was paused (by a
// debugger, a full garbage collection, a suspended virtual machine) and wakes up
// after its lease has passed to another: such a process finds its context ended, but
// may act before it looks. What must not happen twice in the store itself is kept by
// the condition of a save: save with checkpoint.IfMatch or checkpoint.IfVersion, and
// the late worker's save is an ErrConflict. That is the fence; the lease saves work.
//
// # The record
//
// The record of a thread in the namespace NS is the thread of the same name in the
// namespace "NS..lease" (for names of more than 121 characters, "lease." and the
// SHA-256 of NS in hexadecimal), with the owner in its metadata. Listing, copying and
// purging NS do not meet it.
package lease

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint"
)

// DefaultTTL is the TTL of a lease that is given none.
const DefaultTTL = 30 * time.Second

// minTTL leaves time for a renewal that is repeated.
const minTTL = time.Second

var (
	// ErrHeld: another lease on the thread has not ended. Returned as a *HeldError.
	ErrHeld = errors.New("the lease is held")

	// ErrLost: the lease could not be renewed in time, or its record was taken away.
	ErrLost = errors.New("the lease was lost")
)

// A HeldError says who holds the lease. It matches ErrHeld.
type HeldError struct {
	Owner string    // the holder's Options.Owner
	Until time.Time // when the lease expires unless it is renewed
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("the lease is held by %q until %s", e.Owner, e.Until.Format(time.RFC3339))
}

// Is reports whether target is ErrHeld.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// Options set up a lease; the zero value is good for most.
type Options struct {
	// Owner tells others who holds the lease. It has the limits of metadata
	// (UTF-8 without NUL, 4 KiB). "" is the host, the process and a random part.
	Owner string

	// TTL is how long a lease outlives its holder, at least a second; 0 is
	// DefaultTTL. The lease is renewed three times in that time.
	TTL time.Duration

	// Wait waits for a lease that is held, until the context ends.
	Wait bool
}

// A Lease is held until it is released or lost. Its methods are safe for concurrent
// use.
type Lease struct {
	store  *checkpoint.Store // of the records
	thread string
	owner  string
	ttl    time.Duration

	ctx    context.Context
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed when the renewals are over
	giveUp *time.Timer   // ends the context, whatever a renewal is waiting for

	release sync.Once

	// Written by the renewals alone, and read when they are over.
	id      string    // of the record as it was renewed last
	pending string    // of a renewal of which it is not known whether it was applied
	sent    time.Time // when the renewal with id was sent first
	taken   bool      // the record is known to be another's, or gone
}

// Acquire takes the lease on a thread of the store's namespace; the thread need not
// exist. When it is held, by the same owner too, the error is a [*HeldError], or
// with Options.Wait Acquire waits for it; when ctx ends meanwhile the error matches
// ctx's. After an error that matches checkpoint.ErrUnavailable or ctx's the record
// may have been written, and is then free again within the TTL.
func Acquire(ctx context.Context, s *checkpoint.Store, thread string, opts Options) (*Lease, error) {
	l, err := newLease(s, thread, opts)
	if err != nil {
		return nil, err
	}
	for attempt := 0; ; attempt++ {
		err := l.acquire(ctx)
		if err == nil {
			break
		}
		held, ok := errors.AsType[*HeldError](err)
		if !ok || !opts.Wait {
			return nil, err
		}
		if err := wait(ctx, l.pauseBefore(attempt, held)); err != nil {
			return nil, fmt.Errorf("waiting for a lease: %w; %w", err, held)
		}
	}
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	l.ended = make(chan struct{})
	l.giveUp = time.AfterFunc(time.Until(l.until()), func() { l.cancel(ErrLost) })
	go l.renewals()
	return l, nil
}

// Holder returns who holds the lease on a thread, and nil when it is free. It may
// have changed by the time that Holder returns.
func Holder(ctx context.Context, s *checkpoint.Store, thread string) (*HeldError, error) {
	info, err := records(s).Stat(ctx, thread)
	switch {
	case errors.Is(err, checkpoint.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return heldBy(info), nil
}

func heldBy(record checkpoint.Info) *HeldError {
	return &HeldError{Owner: record.Metadata[metadataOwner], Until: record.ExpiresAt}
}

// records is the view of the store that has the records.
func records(s *checkpoint.Store) *checkpoint.Store {
	return s.Namespace(namespace(s.InNamespace()), checkpoint.WithHistory(1))
}

func newLease(s *checkpoint.Store, thread string, opts Options) (*Lease, error) {
	l := &Lease{store: records(s), thread: thread, owner: opts.Owner, ttl: opts.TTL}
	if l.ttl == 0 {
		l.ttl = DefaultTTL
	}
	if l.ttl < minTTL {
		return nil, fmt.Errorf("%w lease: a TTL of %v is below %v", checkpoint.ErrInvalid, l.ttl, minTTL)
	}
	if l.owner == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "unknown"
		}
		host = strings.ToValidUTF8(strings.ReplaceAll(host, "\x00", ""), "")
		l.owner = host + "/" + strconv.Itoa(os.Getpid()) + "/" + rand.Text()[:10]
	}
	return l, nil
}

// namespace names the namespace of the records for those of a namespace.
func namespace(ns string) string {
	const suffix, longest = "..lease", 128
	if len(ns)+len(suffix) <= longest {
		return ns + suffix
	}
	sum := sha256.Sum256([]byte(ns))
	return "lease." + hex.EncodeToString(sum[:])
}

// metadataOwner is the metadata that names the holder of a record.
const metadataOwner = "owner"

// put writes the record under an id.
func (l *Lease) put(ctx context.Context, id string, condition checkpoint.SaveOption) error {
	_, err := l.store.Save(ctx, l.thread, struct{}{}, condition,
		checkpoint.WithID(id), checkpoint.ExpiresIn(l.ttl), checkpoint.Metadata(map[string]string{metadataOwner: l.owner}))
	return err
}

// until returns when the holder gives up: when three quarters of the TTL have passed
// since the last renewal was sent, so that it knows before others can acquire the
// lease.
func (l *Lease) until() time.Time { return l.sent.Add(l.ttl / 4 * 3) }

// acquire makes the record, if there is none.
func (l *Lease) acquire(ctx context.Context) error {
	id, sent := rand.Text(), time.Now()
	err := l.put(ctx, id, checkpoint.IfAbsent())
	if conflict, ok := errors.AsType[*checkpoint.ConflictError](err); ok {
		return heldBy(conflict.Current)
	}
	l.id, l.sent = id, sent
	return err
}

// pauseBefore returns how long to wait before the next attempt: until the lease
// expires, and not longer than a tenth of the TTL, for it may be released before.
func (l *Lease) pauseBefore(attempt int, held *HeldError) time.Duration {
	longest := min(l.ttl/10, time.Second)
	pause := min(longest, 10*time.Millisecond<<min(attempt, 10))
	pause = pause/2 + mathrand.N(pause/2+1)
	if left := time.Until(held.Until); left > 0 && !held.Until.IsZero() {
		pause = min(pause, left)
	}
	return max(pause, time.Millisecond)
}

// Context returns the context to work with. It ends when the lease is lost, with the
// cause ErrLost, or released, with the cause context.Canceled. It has the values of
// Acquire's context and does not end with it.
func (l *Lease) Context() context.Context { return l.ctx }

// Release ends the lease: its context and its renewals, always, and then its record.
// When removing the record fails, it is free within the TTL. Of a lease that was
// lost Release returns ErrLost, and removes no record of another's. Further calls
// return nil.
func (l *Lease) Release(ctx context.Context) error {
	var err error
	l.release.Do(func() {
		l.cancel(context.Canceled) // unless it was lost before
		<-l.ended
		err = l.remove(ctx)
		if errors.Is(context.Cause(l.ctx), ErrLost) {
			err = ErrLost
		}
	})
	return err
}

// remove removes the record, under the id that it has, if it is still there.
func (l *Lease) remove(ctx context.Context) error {
	if l.taken {
		return ErrLost
	}
	for _, id := range []string{l.id, l.pending} {
		if id == "" {
			continue
		}
		err := l.store.Delete(ctx, l.thread, checkpoint.IfMatch(id))
		if !errors.Is(err, checkpoint.ErrConflict) {
			return err
		}
	}
	return ErrLost
}

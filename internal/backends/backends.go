// Package backends holds what the backends of several databases need alike: how
// an ended context and an error of package driver are recognised, pauses between
// attempts, the operations that Close must not cut off, and the queue in front of
// a database.
package backends

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// Ended returns the error of a context that has ended, and nil otherwise. A
// deadline counts from its moment on, not from when its timer is served; a
// context that was cancelled before its deadline stays cancelled.
func Ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// Classified reports whether err matches one of the errors of package driver
// already, so that nothing is to be explained any more.
func Classified(err error) bool {
	for _, own := range [...]error{
		driver.ErrNotFound, driver.ErrConflict, driver.ErrClosed, driver.ErrInvalid,
		driver.ErrTooLarge, driver.ErrUnavailable, driver.ErrCorrupt,
	} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// ErrHighestVersion is the error of a save to a thread that cannot count further.
var ErrHighestVersion = fmt.Errorf("%w save: the thread has reached the highest version, %d", driver.ErrInvalid, int64(driver.MaxVersion))

// CloneMetadata returns a copy of m, nil if m is empty.
func CloneMetadata(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return maps.Clone(m)
}

// CloneInfo returns an Info that shares nothing with i.
func CloneInfo(i driver.Info) driver.Info {
	i.Metadata = CloneMetadata(i.Metadata)
	return i
}

// Backoff returns the pause before another attempt, counted from 0: it doubles
// from shortest to longest and is random in its upper half, so that clients that
// failed together do not come back together.
func Backoff(attempt int, shortest, longest time.Duration) time.Duration {
	d := min(longest, shortest<<min(max(attempt, 0), 20))
	return d/2 + rand.N(d/2+1)
}

// Sleep waits for d, or returns the context's error when that ends before.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

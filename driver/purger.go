package driver

import (
	"context"
	"time"
)

// Purger is implemented by backends that can remove expired threads, and what
// crashes left behind, from the database.
//
// The suite's cases are named Purge.
type Purger interface {
	// Purge removes every thread of the namespace that has expired by now, and
	// returns how many it removed. A database that removes expired rows by
	// itself may have left fewer. It MUST run beside other operations without
	// blocking them for longer than one batch takes, MUST NOT remove a thread
	// that was saved again meanwhile, and when it fails MUST return the number
	// removed so far with the error.
	Purge(ctx context.Context, namespace string, now time.Time) (int64, error)
}

package driver

import (
	"context"
	"time"
)

// PrefixDeleter is implemented by backends that remove many threads at once.
// Without it package checkpoint lists the threads and deletes each.
//
// The suite's cases are named DeletePrefix.
type PrefixDeleter interface {
	// DeletePrefix removes the threads of the namespace whose name starts with
	// req.Prefix, a byte string of at least one byte and no pattern, in batches
	// that block other operations no longer than one of them takes. It returns
	// how many live threads it removed; threads that have expired go too and
	// are not counted. It MUST NOT remove a thread outside the prefix or the
	// namespace; one that is saved meanwhile may stay. When it fails it MUST
	// return the number removed so far with the error, leave every thread
	// whole or absent, and be able to run again.
	DeletePrefix(ctx context.Context, req DeletePrefixRequest) (int64, error)
}

// A DeletePrefixRequest asks for the threads under a prefix to be removed.
type DeletePrefixRequest struct {
	Namespace string
	Prefix    string
	Now       time.Time
}

package driver

import (
	"context"
	"iter"
	"time"
)

// VersionReader is implemented by backends that read many versions of a thread
// with their payloads at once. Without it package checkpoint reads History and
// loads each version by itself.
//
// The suite's cases are named Versions.
type VersionReader interface {
	// Versions yields the kept versions of a live thread from req.From to
	// req.To with their payloads: ascending, or the newest first. It SHOULD
	// read them in pages of one round trip each, and MUST bound a page by
	// [VersionsPage] versions and by [VersionsBytes] of payloads, or two
	// versions where these are larger.
	//
	// An absent thread and an empty range yield nothing and are no error. A
	// version that is dropped under the loop is left out; a thread that is
	// deleted or has expired under it ends it; versions of a later life of the
	// thread MUST NOT be yielded. A payload belongs to the caller, as Load's.
	//
	// A version whose payload cannot be read as it was stored is yielded with
	// its Info, as far as that is known but with Version at least, and an error
	// that matches ErrCorrupt; the iteration goes on with the next one if the
	// caller asks for it. Any other error is yielded once, with a zero
	// Checkpoint, and ends the iteration. What holds for List's loop body holds
	// here.
	Versions(ctx context.Context, req VersionsRequest) iter.Seq2[Checkpoint, error]
}

// The bounds of one page of Versions.
const (
	VersionsPage  = 100
	VersionsBytes = 8 << 20
)

// A VersionsRequest asks for a range of versions.
type VersionsRequest struct {
	Key
	From, To int64 // bounds, both included; 0: open
	Newest   bool  // descending
	Limit    int   // 0: all
	Now      time.Time
}

package driver

import (
	"context"
	"time"
)

// Finder is implemented by backends that find a kept version by its id without
// reading the whole history. Without it package checkpoint looks through
// History.
//
// The suite's cases are named Find.
type Finder interface {
	// Find returns the Info of the kept version of the live thread that was
	// saved with this id, and transfers no payload. ErrNotFound when there is
	// none. It SHOULD take one round trip.
	Find(ctx context.Context, req FindRequest) (Info, error)
}

// A FindRequest asks for the version that was saved with an id.
type FindRequest struct {
	Key
	ID  string
	Now time.Time
}

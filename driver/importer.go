package driver

import (
	"context"
	"time"
)

// Importer is implemented by backends that can take checkpoints over from
// another store as they are. checkpoint.Copy needs it.
//
// The suite's cases are named Import.
type Importer interface {
	// Import writes req.Checkpoint as given: id, version, times, expiry,
	// metadata, encoding and payload. Of one thread it is called with the
	// oldest version first.
	//
	// When the live thread has a version with the same id and number, Import
	// MUST return nil and change nothing. When the live thread has the same or
	// a higher version otherwise, it MUST return ErrConflict and change
	// nothing. What an expired life of the thread left behind MUST be replaced
	// and not be mixed in. Kept versions that a gap would separate from the
	// imported one MUST be dropped, and so MUST those beyond req.Keep.
	//
	// Otherwise ErrConflict (as a *ConflictError) when req.Match does not hold, and
	// then nothing has changed. It is decided as that of a save is: by the live
	// thread, in the same step as the write.
	//
	// An imported checkpoint that has expired by req.Now is invisible, like any
	// other.
	Import(ctx context.Context, req ImportRequest) error
}

// An ImportRequest asks for one checkpoint to be taken over.
type ImportRequest struct {
	Checkpoint
	Now   time.Time
	Keep  int   // newest versions to keep, this one included; at least 1
	Match Match // the zero value: unconditional
}

package driver

import "context"

// Collector is implemented by backends in whose layout a crash, a failed request
// or an older release can leave something behind that nothing names any more, so
// that neither [Purger] nor the deletion of a thread finds it. A backend without
// it says that its layout leaves nothing of the kind.
//
// The suite's cases are named Collect.
type Collector interface {
	// Collect finds what nothing names any more, of whatever namespace it was,
	// removes it, and returns how many stored items it removed; with req.DryRun
	// how many it would. It MUST NOT remove what a save, an import or a rewrite
	// under way has written or is about to refer to, however long that takes:
	// by proof from the database, and not by the age of a thing alone. What is
	// expired and what a writer left under a name is Purge's, and stays.
	//
	// It MUST run beside other operations without blocking them, in memory that
	// does not grow with the database, and MUST end with ctx; an error comes
	// with the number removed so far, and another call does the rest. What it
	// cannot read it MUST NOT take for nothing: it returns ErrCorrupt and
	// removes nothing.
	Collect(ctx context.Context, req CollectRequest) (int64, error)
}

// A CollectRequest asks for what nothing names to be found and removed.
type CollectRequest struct {
	DryRun bool // remove nothing

	// Before, if it is not nil, MUST be called once before anything but the size
	// is asked for. Its error ends Collect and is returned.
	Before func(CollectPlan) error
}

// A CollectPlan says what a Collect is about to do.
type CollectPlan struct {
	Bytes int64  // stored by the database, all of which is read; 0 where it cannot tell
	Cost  string // for people: what is read, how often, and what that costs
}

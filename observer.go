package checkpoint

import "context"

// An Observer is told of every operation of a Store, also of those that fail
// before anything is sent. It must be safe for concurrent use, and is called
// synchronously, so it should be quick. Package otelcheckpoint has one for
// OpenTelemetry.
//
// [Store.Restore] and [Store.Fork] are one operation each; [Update] and [Get] are
// the loads and saves that they make; [Copy] and [Rekey] are not told of. A loop
// over List, History, Versions or Namespaces is one operation, which ends with the
// loop.
type Observer interface {
	// Start is called before an operation and returns the context that the
	// operation goes on with, and a function that is called once at its end. A nil
	// function is not called.
	Start(ctx context.Context, op Operation) (context.Context, func(Result))
}

// An Operation is what an Observer is told at the start. It names no thread:
// threads are users and conversations, too many for a metric and too private for
// a trace.
type Operation struct {
	// Name is save, load, stat, find, list, history, versions, restore, fork,
	// delete, deleteprefix, purge, collect, namespaces or ping.
	Name string

	// Driver is the name that the store was opened with.
	Driver string

	Namespace string
}

// A Result is what an Observer is told at the end.
type Result struct {
	Version int64 // of the checkpoint that was saved or loaded; 0 where there is none
	Bytes   int   // Info.Size of that checkpoint
	Base    int64 // Info.Base of that checkpoint: above 0 it was written, or read, as a patch
	Err     error // as the caller gets it: an *Error, or nil
}

// WithObserver tells o of every operation of the store and its views.
func WithObserver(o Observer) Option {
	return func(s *settings) {
		if o == nil {
			s.fail("WithObserver: the observer is nil")
		}
		s.observer = o
	}
}

package driver

import (
	"context"
	"iter"
)

// NamespaceLister is implemented by backends that can tell which namespaces
// they hold.
//
// The suite's cases are named Namespaces.
type NamespaceLister interface {
	// Namespaces yields each namespace that has a live thread once, in
	// ascending byte order. It may include namespaces whose threads have
	// expired or were deleted. What holds for List's loop body and errors holds
	// here.
	Namespaces(ctx context.Context) iter.Seq2[string, error]
}

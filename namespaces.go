package checkpoint

import (
	"context"
	"iter"

	"github.com/go-ckpt/checkpoint/driver"
)

// Namespaces yields the name of each namespace in the database that has a thread,
// once and in ascending byte order, whatever namespace the store itself works in. It
// may include namespaces whose threads have expired or were deleted. What
// [Store.List] says of its loop and errors holds here; the error matches
// errors.ErrUnsupported where the driver cannot tell.
func (s *Store) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		ctx, op := s.start(ctx, "namespaces", "")
		namespaces, err := s.namespaces(ctx)
		stream(op, namespaces, err, yield)
	}
}

func (s *Store) namespaces(ctx context.Context) (iter.Seq2[string, error], error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	l, ok := s.conn.backend.(driver.NamespaceLister)
	if !ok {
		return nil, unsupported("NamespaceLister")
	}
	if _, err := s.begin(ctx); err != nil {
		return nil, err
	}
	return l.Namespaces(ctx), nil
}

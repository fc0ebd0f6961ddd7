package checkpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-ckpt/checkpoint/driver"
)

// Delete removes every version of the thread. Without a condition it returns nil
// when the thread does not exist. A condition that does not hold is an
// [ErrConflict], and nothing is removed; of [IfExists] it is an [ErrNotFound].
func (s *Store) Delete(ctx context.Context, thread string, opts ...DeleteOption) error {
	ctx, op := s.start(ctx, "delete", thread)
	return op.end(Info{}, s.delete(ctx, thread, opts))
}

func (s *Store) delete(ctx context.Context, thread string, opts []DeleteOption) error {
	if err := s.checkThread(ctx, thread); err != nil {
		return err
	}
	o, err := newDeleteOptions(opts)
	if err != nil {
		return err
	}
	now, err := s.begin(ctx)
	if err != nil {
		return err
	}
	err = s.conn.backend.Delete(ctx, driver.DeleteRequest{Key: s.key(thread), Match: o.match, Now: now})
	if s.conn.states != nil {
		s.conn.states.drop(s.key(thread))
	}
	if o.match.Exists && errors.Is(err, ErrConflict) {
		return ErrNotFound
	}
	return err
}

// DeletePrefix removes the threads whose name starts with these bytes, and returns
// how many live ones it removed. Expired threads under the prefix go too, uncounted.
// An empty prefix is an [ErrInvalid].
//
// It works in batches beside other operations, and can be run again after an
// interruption; with an error it returns the number removed so far. A thread that is
// saved meanwhile may stay. On DynamoDB the newest threads may not be in the index
// yet, as with [Store.List].
func (s *Store) DeletePrefix(ctx context.Context, prefix string) (int64, error) {
	ctx, op := s.start(ctx, "deleteprefix", "")
	n, err := s.deletePrefix(ctx, prefix)
	return n, op.end(Info{}, err)
}

func (s *Store) deletePrefix(ctx context.Context, prefix string) (int64, error) {
	if err := s.check(ctx); err != nil {
		return 0, err
	}
	if prefix == "" {
		return 0, fmt.Errorf("%w prefix: it is empty, which would be every thread", ErrInvalid)
	}
	now, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	b := s.conn.backend
	if d, ok := b.(driver.PrefixDeleter); ok {
		return d.DeletePrefix(ctx, driver.DeletePrefixRequest{Namespace: s.namespace, Prefix: prefix, Now: now})
	}
	var removed int64
	for info, err := range b.List(ctx, driver.ListRequest{Namespace: s.namespace, Prefix: prefix, Now: now}) {
		if err != nil {
			return removed, err
		}
		err := b.Delete(ctx, driver.DeleteRequest{Key: info.Key, Match: driver.Match{Exists: true}, Now: now})
		switch {
		case errors.Is(err, ErrConflict): // removed by another caller since it was listed
		case err != nil:
			return removed, err
		default:
			removed++
		}
	}
	return removed, nil
}

package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/go-ckpt/checkpoint/driver"
)

// ListOptions choose the threads that [Store.List] yields; the zero value is all
// of them.
type ListOptions struct {
	Prefix string // only threads whose name starts with these bytes; no pattern
	After  string // only threads whose name is greater, in byte order; need not exist
	Limit  int    // at most so many; 0 for all
}

// List yields the Info of the latest checkpoint of each thread, once and in
// ascending byte order of the names. Threads are fetched page by page as the
// loop goes on, and the loop may save, load and delete. To go on later, pass the
// last name as After.
//
// A thread whose latest checkpoint cannot be read is yielded with its name and an
// error that matches [ErrCorrupt]; the loop may go on with the next one. Any other
// error is yielded once and ends the loop. On DynamoDB the list may lag behind
// the latest saves; nowhere else.
func (s *Store) List(ctx context.Context, opts ListOptions) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		ctx, op := s.start(ctx, "list", "")
		infos, err := s.list(ctx, opts)
		stream(op, infos, err, yield)
	}
}

func (s *Store) list(ctx context.Context, opts ListOptions) (iter.Seq2[Info, error], error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	if opts.Limit < 0 {
		return nil, fmt.Errorf("%w option: ListOptions.Limit %d is negative", ErrInvalid, opts.Limit)
	}
	now, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	return s.conn.backend.List(ctx, driver.ListRequest{
		Namespace: s.namespace,
		Prefix:    opts.Prefix,
		After:     opts.After,
		Limit:     opts.Limit,
		Now:       now,
	}), nil
}

// stream passes on what a backend yields and ends the operation when the loop is
// over.
func stream[T any](op operation, values iter.Seq2[T, error], err error, yield func(T, error) bool) {
	var none T
	if err != nil {
		yield(none, op.end(Info{}, err))
		return
	}
	var damaged error
	for value, err := range values {
		if info, ok := any(value).(Info); ok && info.Thread != "" && errors.Is(err, ErrCorrupt) {
			damaged = err // of this thread alone
			err = op.store.fail(op.name, info.Thread, err)
			if !yield(value, err) {
				break
			}
			continue
		}
		if err != nil {
			yield(none, op.end(Info{}, err))
			return
		}
		if !yield(value, nil) {
			break
		}
	}
	op.end(Info{}, damaged)
}

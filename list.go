package checkpoint

import (
	"context"
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
// An error is yielded once and ends the loop. On DynamoDB the list may lag behind
// the latest saves; nowhere else.
func (s *Store) List(ctx context.Context, opts ListOptions) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		op := s.start("list", "")
		infos, err := s.list(ctx, opts)
		op.stream(ctx, infos, err, yield)
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

// HistoryOptions choose the versions that [Store.History] yields; the zero value
// is all of them.
type HistoryOptions struct {
	Before int64 // only versions lower than this; 0 for all
	Limit  int   // at most so many; 0 for all
}

// History yields the Info of the versions that are kept of the thread, newest
// first and without gaps, without transferring states. The history of a thread
// that does not exist is empty and no error. What [Store.List] says of its loop
// and errors holds here.
func (s *Store) History(ctx context.Context, thread string, opts HistoryOptions) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		op := s.start("history", thread)
		infos, err := s.history(ctx, thread, opts)
		op.stream(ctx, infos, err, yield)
	}
}

func (s *Store) history(ctx context.Context, thread string, opts HistoryOptions) (iter.Seq2[Info, error], error) {
	if err := s.checkThread(ctx, thread); err != nil {
		return nil, err
	}
	switch {
	case opts.Before < 0:
		return nil, fmt.Errorf("%w option: HistoryOptions.Before %d is negative", ErrInvalid, opts.Before)
	case opts.Limit < 0:
		return nil, fmt.Errorf("%w option: HistoryOptions.Limit %d is negative", ErrInvalid, opts.Limit)
	}
	now, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	return s.conn.backend.History(ctx, driver.HistoryRequest{
		Key:    s.key(thread),
		Before: opts.Before,
		Limit:  opts.Limit,
		Now:    now,
	}), nil
}

// Stat returns the Info of the latest checkpoint of the thread, without
// transferring its state. [ErrNotFound] when the thread does not exist.
func (s *Store) Stat(ctx context.Context, thread string) (Info, error) {
	op := s.start("stat", thread)
	info, err := s.stat(ctx, thread)
	return info, op.end(ctx, info, err)
}

func (s *Store) stat(ctx context.Context, thread string) (Info, error) {
	infos, err := s.history(ctx, thread, HistoryOptions{Limit: 1})
	if err != nil {
		return Info{}, err
	}
	for info, err := range infos {
		return info, err
	}
	return Info{}, ErrNotFound
}

// stream passes on what a backend yields and ends the operation when the loop is
// over.
func (op *operation) stream(ctx context.Context, infos iter.Seq2[Info, error], err error, yield func(Info, error) bool) {
	if err != nil {
		yield(Info{}, op.end(ctx, Info{}, err))
		return
	}
	for info, err := range infos {
		if err != nil {
			yield(Info{}, op.end(ctx, Info{}, err))
			return
		}
		if !yield(info, nil) {
			break
		}
	}
	op.end(ctx, Info{}, nil)
}

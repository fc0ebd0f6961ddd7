package checkpoint

import (
	"context"
	"fmt"
	"iter"

	"github.com/go-ckpt/checkpoint/driver"
)

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
		ctx, op := s.start(ctx, "history", thread)
		infos, err := s.history(ctx, thread, opts)
		stream(op, infos, err, yield)
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
	ctx, op := s.start(ctx, "stat", thread)
	info, err := s.stat(ctx, thread)
	return info, op.end(info, err)
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

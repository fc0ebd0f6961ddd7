package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Update changes the state of a thread: it loads the state (the zero T when the
// thread does not exist), calls fn with it, and saves it on the condition that
// nobody has saved in between. If somebody has, it starts over, with a growing
// and random pause, until ctx ends; the error then matches ctx's. fn may
// therefore run several times and should do nothing but change the state.
//
// An error from fn ends Update and is returned as it is; nothing is saved then.
// [IfMatch] and [IfAbsent] among opts are an [ErrInvalid].
func Update[T any](ctx context.Context, s *Store, thread string, fn func(state *T) error, opts ...SaveOption) (Info, error) {
	op := s.start("update", thread)
	if err := s.checkUpdate(ctx, fn == nil, opts); err != nil {
		return Info{}, op.end(ctx, Info{}, err)
	}
	for attempt := 0; ; attempt++ {
		var state T
		condition := IfAbsent()
		switch info, err := s.load(ctx, thread, 0, &state); {
		case err == nil:
			condition = IfMatch(info.ID)
		case !errors.Is(err, ErrNotFound):
			return Info{}, op.end(ctx, Info{}, err)
		}
		if err := fn(&state); err != nil {
			op.end(ctx, Info{}, err)
			return Info{}, err
		}
		info, err := s.save(ctx, thread, state, append(opts[:len(opts):len(opts)], condition))
		if errors.Is(err, ErrConflict) {
			if err = pause(ctx, attempt); err == nil {
				continue
			}
		}
		return info, op.end(ctx, info, err)
	}
}

func (s *Store) checkUpdate(ctx context.Context, noFunc bool, opts []SaveOption) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	if noFunc {
		return fmt.Errorf("%w function: Update needs one", ErrInvalid)
	}
	o, err := s.saveOptions(opts)
	if err == nil && (o.matchGiven || o.absentGiven) {
		err = fmt.Errorf("%w option: Update makes its own condition; IfMatch and IfAbsent do not go with it", ErrInvalid)
	}
	return err
}

// pause waits before the next attempt: up to 1 ms after the first, doubling to
// at most 100 ms.
func pause(ctx context.Context, attempt int) error {
	longest := min(time.Millisecond<<min(attempt, 10), 100*time.Millisecond)
	timer := time.NewTimer(rand.N(longest) + 1)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

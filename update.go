package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// ErrSkip, returned by the function of [Update], ends Update without saving.
var ErrSkip = errors.New("nothing to save")

// Update changes the state of a thread: it loads the state (the zero T when the
// thread does not exist), calls fn with it, and saves it on the condition that
// the thread has not changed in between. If it has, Update starts over, with a
// growing and random pause, until ctx ends; the error then matches ctx's. fn may
// therefore run several times and should do nothing but change the state.
//
// An error from fn ends Update and is returned as it is; nothing is saved then.
// With one that matches [ErrSkip], Update returns the Info of the thread as it is,
// the zero Info when it does not exist, and no error.
//
// With [WithID] it is idempotent: once it has succeeded, the same Update again
// changes nothing as long as the version that it made is kept. Conditions among opts
// are an [ErrInvalid].
//
// What fn leaves alone is saved as T holds it. JSON numbers in an any are float64,
// which rounds whole numbers above 2^53: use a T that keeps them, such as one with
// json.Number or json.RawMessage in it, or open the store with the codec of
// [JSONNumbers].
func Update[T any](ctx context.Context, s *Store, thread string, fn func(state *T) error, opts ...SaveOption) (Info, error) {
	if err := s.checkUpdate(ctx, fn == nil, opts); err != nil {
		return Info{}, s.fail("update", thread, err)
	}
	for attempt := 0; ; attempt++ {
		var state T
		var condition SaveOption = IfAbsent()
		before, err := s.Load(ctx, thread, &state)
		switch {
		case err == nil:
			condition = IfMatch(before.ID)
		case !errors.Is(err, ErrNotFound):
			return Info{}, s.asUpdate(thread, err)
		}
		switch err := fn(&state); {
		case errors.Is(err, ErrSkip):
			return before, nil
		case err != nil:
			return Info{}, err
		}
		info, err := s.Save(ctx, thread, state, append(opts[:len(opts):len(opts)], condition)...)
		if errors.Is(err, ErrConflict) {
			if err = pause(ctx, attempt); err == nil {
				continue
			}
		}
		return info, s.asUpdate(thread, err)
	}
}

// asUpdate makes the error of a load or a save one of Update.
func (s *Store) asUpdate(thread string, err error) error {
	if e, ok := err.(*Error); ok {
		err = e.Err
	}
	return s.fail("update", thread, err)
}

func (s *Store) checkUpdate(ctx context.Context, noFunc bool, opts []SaveOption) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	if noFunc {
		return fmt.Errorf("%w function: Update needs one", ErrInvalid)
	}
	o, err := s.saveOptions(opts)
	if err == nil && o.given > 0 {
		err = fmt.Errorf("%w option: Update makes its own condition; IfMatch, IfVersion, IfExists and IfAbsent do not go with it", ErrInvalid)
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

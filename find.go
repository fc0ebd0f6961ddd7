package checkpoint

import (
	"context"
	"fmt"

	"github.com/go-ckpt/checkpoint/driver"
)

// Find returns the Info of the kept version of the thread that was saved with this
// id, without transferring its state. [ErrNotFound] when no kept version has it:
// after a save whose outcome was left open, that it was not applied (or was applied
// and has been dropped from the history since).
func (s *Store) Find(ctx context.Context, thread, id string) (Info, error) {
	ctx, op := s.start(ctx, "find", thread)
	info, err := s.find(ctx, thread, id)
	return info, op.end(info, err)
}

func (s *Store) find(ctx context.Context, thread, id string) (Info, error) {
	if err := s.checkThread(ctx, thread); err != nil {
		return Info{}, err
	}
	if !isID(id) {
		return Info{}, fmt.Errorf("%w id: the id of a checkpoint is 1 to 128 printable ASCII characters", ErrInvalid)
	}
	now, err := s.begin(ctx)
	if err != nil {
		return Info{}, err
	}
	if f, ok := s.conn.backend.(driver.Finder); ok {
		return f.Find(ctx, driver.FindRequest{Key: s.key(thread), ID: id, Now: now})
	}
	for info, err := range s.conn.backend.History(ctx, driver.HistoryRequest{Key: s.key(thread), Now: now}) {
		if err != nil {
			return Info{}, err
		}
		if info.ID == id {
			return info, nil
		}
	}
	return Info{}, ErrNotFound
}

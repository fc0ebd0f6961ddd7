package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-ckpt/checkpoint"
)

func parseVersion(s string) (int64, error) {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 1 {
		return 0, usagef("VERSION %q: want a whole number of at least 1 (checkpoint history shows which there are)", s)
	}
	return v, nil
}

// missing makes the error of a version that a thread does not keep say which one
// that is, and which is the latest.
func missing(ctx context.Context, store *checkpoint.Store, thread string, version int64, err error) error {
	if version == 0 || !errors.Is(err, checkpoint.ErrNotFound) {
		return err
	}
	latest, statErr := store.Stat(ctx, thread)
	if statErr != nil {
		return err
	}
	return fmt.Errorf("version %d of %q is %w: the latest is version %d", version, thread, checkpoint.ErrNotFound, latest.Version)
}

// there returns an error when the thread does not exist.
func there(ctx context.Context, store *checkpoint.Store, thread string) error {
	_, err := store.Stat(ctx, thread)
	if errors.Is(err, checkpoint.ErrNotFound) {
		return fmt.Errorf("the thread %q is %w", thread, checkpoint.ErrNotFound)
	}
	return err
}

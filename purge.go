package checkpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-ckpt/checkpoint/driver"
)

// Purge removes the expired threads of the store's namespace from the database
// and returns how many it removed. Expired threads are invisible without it;
// databases that expire rows by themselves may have left fewer. It runs beside
// other operations. An error that matches errors.ErrUnsupported says that the
// driver cannot purge.
func (s *Store) Purge(ctx context.Context) (int64, error) {
	ctx, op := s.start(ctx, "purge", "")
	n, err := s.purge(ctx)
	return n, op.end(Info{}, err)
}

func (s *Store) purge(ctx context.Context) (int64, error) {
	if err := s.check(ctx); err != nil {
		return 0, err
	}
	p, ok := s.conn.backend.(driver.Purger)
	if !ok {
		return 0, unsupported("Purger")
	}
	now, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	return p.Purge(ctx, s.namespace, now)
}

func unsupported(optional string) error {
	return fmt.Errorf("%w: the driver does not implement driver.%s", errors.ErrUnsupported, optional)
}

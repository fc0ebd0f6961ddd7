package checkpoint

import (
	"context"

	"github.com/go-ckpt/checkpoint/driver"
)

// CollectOptions choose what [Store.Collect] does; the zero value removes what it
// finds.
type CollectOptions struct {
	DryRun bool // count only, and remove nothing

	// Before, if it is not nil, is called before the database is read, with what
	// that takes. Its error ends Collect and is returned.
	Before func(CollectPlan) error
}

// A CollectPlan says what a [Store.Collect] is about to read.
type CollectPlan = driver.CollectPlan

// Collect removes what a crash or an older release has left in the database and
// nothing names any more, so that neither [Store.Purge] nor a deletion finds it:
// on DynamoDB, parts of large states whose version is gone. It returns how many
// stored items it removed, with DryRun how many it would. What it removes belongs
// to no thread, so that it looks at all namespaces whatever view it is called on.
//
// It reads the whole database, more than once, which takes time and costs what
// reading costs: see Before. It is for seldom, and not part of the daily work. It
// runs beside other operations, removes nothing that a save under way has written,
// however slow that is, and can be stopped and run again.
//
// An error that matches errors.ErrUnsupported says that the driver has nothing to
// collect: what it stores goes with its thread, or with Purge.
func (s *Store) Collect(ctx context.Context, opts CollectOptions) (int64, error) {
	ctx, op := s.start(ctx, "collect", "")
	n, err := s.collect(ctx, opts)
	return n, op.end(Info{}, err)
}

func (s *Store) collect(ctx context.Context, opts CollectOptions) (int64, error) {
	if err := s.check(ctx); err != nil {
		return 0, err
	}
	c, ok := s.conn.backend.(driver.Collector)
	if !ok {
		return 0, unsupported("Collector")
	}
	if _, err := s.begin(ctx); err != nil {
		return 0, err
	}
	return c.Collect(ctx, driver.CollectRequest(opts))
}

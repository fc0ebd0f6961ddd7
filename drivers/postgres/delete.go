package postgres

import (
	"context"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// removeBatch is how many threads a statement of Purge removes: a save that
// comes upon one of them waits a few milliseconds.
const removeBatch = 500

// remove deletes a thread with its history.
func (o operation) remove(ctx context.Context, req driver.DeleteRequest) error {
	return o.run(ctx, statement{name: "delete", args: []any{req.Namespace, req.Thread}})
}

// purge removes up to size threads that have expired by now.
func (o operation) purge(ctx context.Context, namespace string, now time.Time, size int) (n int64, err error) {
	err = o.run(ctx, statement{name: "purge", args: []any{namespace, now, size}, rows: one(&n)})
	return n, err
}

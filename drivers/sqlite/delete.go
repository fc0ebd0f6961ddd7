package sqlite

import (
	"context"
	"math"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// delete drops a thread.
func (tx *transaction) delete(key driver.Key) error {
	if _, err := tx.exec(tx.db.stmt.trim, key.Namespace, key.Thread, int64(math.MaxInt64)); err != nil {
		return err
	}
	_, err := tx.exec(tx.db.stmt.delete, key.Namespace, key.Thread)
	return err
}

// purgeBatch is how many threads a purge removes in one transaction, which
// other writes wait for.
const purgeBatch = 64

func (d *database) purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	return sqlstore.Batches(purgeBatch, func(size int) (int64, error) {
		var removed int64
		err := d.writer.do(ctx, noPayload, func(tx *transaction) (err error) {
			if _, err := tx.exec(d.stmt.purgeOlder, namespace, now.UnixMicro(), size); err != nil {
				return err
			}
			removed, err = tx.exec(d.stmt.purgeLatest, namespace, now.UnixMicro(), size)
			return err
		})
		if err != nil {
			return 0, err // and removed may still be written to
		}
		return removed, nil
	})
}

package sqlite

import (
	"context"
	"database/sql"
	"math"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// delete decides a deletion and drops the thread.
func (tx *transaction) delete(req driver.DeleteRequest) error {
	key := req.Key
	if req.Match != (driver.Match{}) {
		h, err := tx.head(key, "", req.Now)
		if err != nil {
			return err
		}
		if !h.holds(req.Match) {
			return tx.conflict(key, h)
		}
	}
	if _, err := tx.exec(tx.db.stmt.trim, key.Namespace, key.Thread, int64(math.MaxInt64)); err != nil {
		return err
	}
	_, err := tx.exec(tx.db.stmt.delete, key.Namespace, key.Thread)
	return err
}

// purgeBatch is how many threads a purge or the deletion of a prefix removes in
// one transaction, which
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

func (d *database) deletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	return sqlstore.DeletePrefix(req, purgeBatch, func(low, high string, size int) (live, all int64, last string, err error) {
		if size == 0 {
			return 0, 0, "", nil
		}
		type batch struct {
			all, live int64
			last      sql.NullString
		}
		var removed batch
		err = d.writer.do(ctx, noPayload, func(tx *transaction) error {
			var b batch
			if _, err := tx.row(d.stmt.firstOfPrefix, []any{req.Namespace, low, upper(high), req.Now.UnixMicro(), size}, []any{&b.all, &b.live, &b.last}); err != nil {
				return err
			}
			if b.all > 0 {
				if _, err := tx.exec(d.stmt.deleteOlderOf, req.Namespace, low, b.last.String); err != nil {
					return err
				}
				if _, err := tx.exec(d.stmt.deleteLatestOf, req.Namespace, low, b.last.String); err != nil {
					return err
				}
			}
			removed = b
			return nil
		})
		if err != nil {
			return 0, 0, "", err // and removed may still be written to
		}
		return removed.live, removed.all, removed.last.String, nil
	})
}

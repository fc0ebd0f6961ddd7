package postgres

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// removeBatch is how many threads a statement of Purge or DeletePrefix removes: a save that
// comes upon one of them waits a few milliseconds.
const removeBatch = 500

// remove deletes a thread with its history, under the condition of the request.
// When the reply is lost nothing tells whether another has deleted the thread, so
// a deletion is never repeated.
func (o operation) remove(ctx context.Context, req driver.DeleteRequest) error {
	if req.Match == (driver.Match{}) {
		return o.run(ctx, statement{name: "delete", args: []any{req.Namespace, req.Thread}})
	}
	var gone bool
	var current driver.Info
	err := o.run(ctx, statement{
		name: "delete-if",
		args: []any{req.Namespace, req.Thread, req.Now, nullText(req.Match.ID), nullVersion(req.Match.Version)},
		rows: func(rows *sql.Rows) error {
			gone, current = false, driver.Info{}
			if !rows.Next() {
				return rows.Err()
			}
			var row sqlstore.Row
			if err := rows.Scan(append([]any{&gone}, row.Dest()...)...); err != nil {
				return damaged(err)
			}
			if gone {
				return nil
			}
			var err error
			current, err = row.Info(req.Namespace)
			return err
		},
	})
	if err == nil && !gone {
		err = &driver.ConflictError{Current: current}
	}
	return err
}

// removeRange deletes the next threads from low to below high, size of them at
// most: how many were live, how many there were, and the last one.
func (o operation) removeRange(ctx context.Context, req driver.DeletePrefixRequest, low, high string, size int) (live, all int64, last string, err error) {
	if high == "" {
		high = aboveEveryName
	}
	err = o.run(ctx, statement{
		name: "delete-prefix",
		args: []any{req.Namespace, low, req.Now, high, size},
		rows: func(rows *sql.Rows) error {
			if !rows.Next() {
				return rows.Err()
			}
			return rows.Scan(&live, &all, &last)
		},
	})
	return live, all, last, err
}

// aboveEveryName follows every name of a thread, which has at most 512 bytes.
var aboveEveryName = strings.Repeat("\U0010FFFF", 129)

// purge removes up to size threads that have expired by now.
func (o operation) purge(ctx context.Context, namespace string, now time.Time, size int) (n int64, err error) {
	err = o.run(ctx, statement{name: "purge", args: []any{namespace, now, size}, rows: one(&n)})
	return n, err
}

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/go-ckpt/checkpoint/driver"
)

// A transaction is what writes run in. The first error of the database stays
// in err: whatever was written before is rolled back.
type transaction struct {
	ctx context.Context
	db  *database
	sql *sql.Tx
	err error
}

// beginTx starts a transaction that holds the lock for writing.
func (d *database) beginTx(ctx context.Context) (*transaction, error) {
	ctx = d.unwatched(ctx)
	sqltx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	tx := &transaction{ctx: ctx, db: d, sql: sqltx}
	if !d.owned || !d.chains { // _txlock=immediate may be missing; or it cannot be written
		if _, err := tx.exec(d.stmt.lock); err != nil {
			_ = sqltx.Rollback()
			return nil, err
		}
	}
	if !d.chains {
		_ = sqltx.Rollback()
		return nil, fmt.Errorf("%w: %s could only be read when it was opened, and has the tables of an older release: open it again", driver.ErrUnavailable, d.name)
	}
	return tx, nil
}

// exec runs a statement and returns the number of rows it changed.
func (tx *transaction) exec(stmt *sql.Stmt, args ...any) (int64, error) {
	result, err := tx.sql.StmtContext(tx.ctx, stmt).ExecContext(tx.ctx, args...)
	if err != nil {
		tx.err = err
		return 0, err
	}
	return result.RowsAffected()
}

// row runs a query and reports whether there was a row.
func (tx *transaction) row(stmt *sql.Stmt, args []any, dest []any) (bool, error) {
	err := tx.sql.StmtContext(tx.ctx, stmt).QueryRowContext(tx.ctx, args...).Scan(dest...)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case !errors.Is(err, driver.ErrCorrupt): // a damaged row is one thread's matter
		tx.err = err
	}
	return false, err
}

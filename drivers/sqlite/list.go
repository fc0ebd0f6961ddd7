package sqlite

import (
	"context"
	"math"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// noBound is greater than every text: SQLite sorts BLOBs after TEXT.
var noBound = []byte{}

// upper is the argument for an upper bound of names, which "" is without.
func upper(high string) any {
	if high == "" {
		return noBound
	}
	return high
}

func (d *database) list(ctx context.Context, req driver.ListRequest, low, high string, n int) (infos []driver.Info, err error) {
	err = d.query(ctx, func() error {
		rows, err := d.stmt.list.QueryContext(ctx, req.Namespace, low, upper(high), req.Now.UnixMicro(), n)
		if err != nil {
			return err
		}
		infos, err = sqlstore.Infos(rows, req.Namespace, n)
		return err
	})
	return infos, err
}

func (d *database) history(ctx context.Context, req driver.HistoryRequest, before int64, n int) (infos []driver.Info, err error) {
	if before == 0 {
		before = math.MaxInt64
	}
	err = d.query(ctx, func() error {
		rows, err := d.stmt.history.QueryContext(ctx, req.Namespace, req.Thread, req.Now.UnixMicro(), before, n)
		if err != nil {
			return err
		}
		infos, err = sqlstore.Infos(rows, req.Namespace, n)
		return err
	})
	return infos, err
}

func (d *database) namespaces(ctx context.Context, after string, n int) (names []string, err error) {
	err = d.query(ctx, func() error {
		rows, err := d.stmt.namespaces.QueryContext(ctx, after, n)
		if err != nil {
			return err
		}
		defer rows.Close()
		names = names[:0]
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			names = append(names, name)
		}
		return rows.Err()
	})
	return names, err
}

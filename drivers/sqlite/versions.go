package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// smallState is the size up to which the states of a page are read together with
// its rows: a whole page of them has driver.VersionsBytes. Larger ones are read
// one by one, so that no more of them than the page may hold are in memory.
const smallState = driver.VersionsBytes / driver.VersionsPage

// A versionRow is a row of a page of versions.
type versionRow struct {
	sqlstore.Version
	key   int64 // of the row
	large bool  // its state has not been read with it
}

// versions reads a page of versions. No transaction is open when it returns.
func (d *database) versions(ctx context.Context, req driver.VersionsRequest, p sqlstore.VersionsPage) ([]sqlstore.Version, bool, error) {
	for {
		rows, more, err := d.versionRows(ctx, req, p)
		if err != nil {
			return nil, false, err
		}
		page := make([]sqlstore.Version, 0, len(rows))
		for _, row := range rows {
			err := d.complete(ctx, &row)
			if errors.Is(err, driver.ErrNotFound) {
				continue // dropped since the rows were read
			}
			if err != nil {
				return nil, false, err
			}
			page = append(page, row.Version)
		}
		if len(page) > 0 || len(rows) == 0 {
			return page, more, nil
		}
	}
}

// complete reads the state of a row that has come without it. ErrNotFound if the
// row is no longer there.
func (d *database) complete(ctx context.Context, row *versionRow) error {
	if !row.large || row.Err != nil {
		return nil
	}
	var state payload
	err := d.query(ctx, func() error {
		err := d.stmt.versionState.QueryRowContext(d.unwatched(ctx), row.key, row.Info.Version, row.ID).Scan(&state)
		if errors.Is(err, sql.ErrNoRows) {
			return driver.ErrNotFound
		}
		return err
	})
	switch {
	case errors.Is(err, driver.ErrCorrupt):
		row.Err = err
	case err != nil:
		return err
	case len(state) != row.Size:
		row.Err = wrongSize(row.Info, state)
	default:
		row.Payload = state
	}
	return nil
}

// versionRows reads the rows of a page and the states that are small.
func (d *database) versionRows(ctx context.Context, req driver.VersionsRequest, p sqlstore.VersionsPage) (page []versionRow, more bool, err error) {
	stmt, largest := d.stmt.versions, smallState
	if req.Newest {
		stmt = d.stmt.versionsNewest
	}
	if p.Bare {
		largest = -1
	}
	args := []any{req.Namespace, req.Thread, req.Now.UnixMicro(), p.From, p.To, nil, nil, nil, p.Count, largest}
	if p.Last != nil {
		args[5], args[6], args[7] = p.Last.CreatedAt.UnixMicro(), p.Last.Version, p.Last.ID
	}
	err = d.query(ctx, func() error {
		page, more = page[:0], false
		rows, err := stmt.QueryContext(ctx, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for bytes := 0; rows.Next(); {
			row := scanVersion(rows, req.Key)
			if row.Info.Version < 1 && len(page) == 0 {
				return row.Err
			}
			bytes += max(row.Size, len(row.Payload))
			if row.Info.Version < 1 || bytes > driver.VersionsBytes && len(page) >= 2 && !p.Bare {
				more = true // with this one
				return nil
			}
			row.large = row.large && !p.Bare
			page = append(page, row)
		}
		more = len(page) == p.Count
		return rows.Err()
	})
	return page, more, err
}

// scanVersion reads a row. One that is damaged has an error and what is known: its
// version, unless that is what is damaged.
func scanVersion(rows *sql.Rows, key driver.Key) (row versionRow) {
	var columns sqlstore.Row
	var state any
	row.Err = rows.Scan(columns.Dest(&row.key, &state)...)
	if row.Err != nil {
		row.Info = driver.Info{Key: key, Version: scanNumber(rows)}
		return row
	}
	if row.Info, row.Err = columns.Info(key.Namespace); row.Err != nil {
		return row
	}
	switch state := state.(type) {
	case nil:
		row.large = true
	case []byte:
		row.Payload = state
		if len(state) != row.Size {
			row.Payload, row.Err = nil, wrongSize(row.Info, state)
		}
	}
	return row
}

// scanNumber reads the version of a row that is damaged elsewhere.
func scanNumber(rows *sql.Rows) int64 {
	columns := make([]any, 12) // those of a Row, the key and the state
	dest := make([]any, len(columns))
	for i := range dest {
		dest[i] = &columns[i]
	}
	if rows.Scan(dest...) != nil {
		return 0
	}
	n, _ := columns[2].(int64)
	return n
}

// wrongSize is the error of a state that has not the size recorded beside it. One
// that is JSON all the same was edited by somebody, in the file.
func wrongSize(info driver.Info, state []byte) error {
	advice := ""
	if info.Encoding == "json" && json.Valid(state) {
		advice = "; it was edited in the file by hand: take that back, set the column size to the bytes of the state, or remove the row, and edit states with checkpoint edit"
	}
	return fmt.Errorf("%w: version %d of thread %q has %d bytes and should have %d%s",
		driver.ErrCorrupt, info.Version, info.Thread, len(state), info.Size, advice)
}

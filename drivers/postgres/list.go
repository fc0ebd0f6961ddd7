package postgres

import (
	"context"
	"database/sql"
	"errors"
	"math"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// list returns the next n live threads from low to below high; sqlstore.List says
// what the bounds are.
func (o operation) list(ctx context.Context, req driver.ListRequest, low, high string, n int) ([]driver.Info, error) {
	s := statement{name: "list", args: []any{req.Namespace, low, req.Now, high, n}}
	if high == "" {
		s = statement{name: "list-to-end", args: []any{req.Namespace, low, req.Now, n}}
	}
	return o.infos(ctx, req.Namespace, n, s)
}

// history returns the next n versions below before, 0 for all.
func (o operation) history(ctx context.Context, req driver.HistoryRequest, before int64, n int) ([]driver.Info, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	return o.infos(ctx, req.Namespace, n, statement{name: "history", args: []any{req.Namespace, req.Thread, req.Now, before, n}})
}

// versions returns a page of versions with their payloads.
func (o operation) versions(ctx context.Context, req driver.VersionsRequest, p sqlstore.VersionsPage) (versions []sqlstore.Version, more bool, err error) {
	s := statement{name: "versions", reads: true, args: []any{
		req.Namespace, req.Thread, req.Now, p.From, p.To, p.Count, int64(driver.VersionsBytes), nil, nil, nil, !p.Bare,
	}}
	if req.Newest {
		s.name = "versions-newest"
	}
	if last := p.Last; last != nil {
		s.args[7], s.args[8], s.args[9] = last.CreatedAt, last.Version, last.ID
	}
	s.rows = func(rows *sql.Rows) error {
		versions, more = versions[:0], false
		for rows.Next() {
			var edge int64
			c, err := scanCheckpoint(rows, req.Namespace, &edge)
			if c.Version == 0 && err != nil {
				return err
			}
			versions = append(versions, sqlstore.Version{Checkpoint: c, Err: err})
			more = c.Version != edge
		}
		return rows.Err()
	}
	if err := o.run(ctx, s); err != nil {
		return nil, false, err
	}
	return versions, more, nil
}

// infos runs a statement whose rows are Infos, n at most.
func (o operation) infos(ctx context.Context, namespace string, n int, s statement) (infos []driver.Info, err error) {
	s.reads = true
	s.rows = func(rows *sql.Rows) (err error) {
		infos, err = sqlstore.Infos(rows, namespace, n)
		return err
	}
	if err := o.run(ctx, s); err != nil {
		if errors.As(err, new(*sqlstore.RowError)) {
			return infos, err
		}
		return nil, err
	}
	return infos, nil
}

// namespaces returns the next n namespaces after one.
func (o operation) namespaces(ctx context.Context, after string, n int) (names []string, err error) {
	err = o.run(ctx, statement{name: "namespaces", args: []any{after, n}, reads: true, rows: func(rows *sql.Rows) error {
		names = names[:0]
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return damaged(err)
			}
			names = append(names, name)
		}
		return rows.Err()
	}})
	return names, err
}

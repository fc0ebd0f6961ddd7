package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"math"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// Load implements driver.Backend.
func (b *backend) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	s := statement{name: "load", args: []any{req.Namespace, req.Thread, req.Now}, reads: true}
	if req.Version != 0 {
		s.name, s.args = "load-version", append(s.args, req.Version)
	}
	var c driver.Checkpoint
	found := false
	s.rows = func(rows *sql.Rows) error {
		if found = rows.Next(); !found {
			return rows.Err()
		}
		var row sqlstore.Row
		var payload, state content
		if err := rows.Scan(row.Dest(&payload, &state)...); err != nil {
			return damaged(err)
		}
		info, err := row.Info(req.Namespace)
		if err != nil {
			return err
		}
		c = driver.Checkpoint{Info: info, Payload: payload}
		switch {
		case payload != nil:
			if len(payload) != info.Size {
				return fmt.Errorf("%w: thread %q version %d has %d bytes instead of %d", driver.ErrCorrupt, info.Thread, info.Version, len(payload), info.Size)
			}
		case state != nil && info.Encoding == "json":
			c.Payload = state
		default:
			return fmt.Errorf("%w: thread %q version %d has no payload of its encoding", driver.ErrCorrupt, info.Thread, info.Version)
		}
		return nil
	}
	if err := b.run(ctx, s); err != nil {
		return driver.Checkpoint{}, err
	}
	if !found {
		return driver.Checkpoint{}, driver.ErrNotFound
	}
	return c, nil
}

// content receives a payload. It is nil after NULL.
type content []byte

// Scan implements sql.Scanner. The bytes are the database/sql driver's, and are
// copied once.
func (c *content) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*c = nil
	case []byte:
		*c = append(make([]byte, 0, len(v)), v...)
	case string:
		*c = []byte(v)
	default:
		return fmt.Errorf("%w: a payload is a %T", driver.ErrCorrupt, src)
	}
	return nil
}

// List implements driver.Backend.
func (b *backend) List(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	return sqlstore.List(req, func(low, high string, n int) ([]driver.Info, error) {
		s := statement{name: "list", args: []any{req.Namespace, low, req.Now, high, n}}
		if high == "" {
			s = statement{name: "list-to-end", args: []any{req.Namespace, low, req.Now, n}}
		}
		return b.infos(ctx, req.Namespace, n, s)
	})
}

// History implements driver.Backend.
func (b *backend) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	return sqlstore.History(req, func(before int64, n int) ([]driver.Info, error) {
		if before == 0 {
			before = math.MaxInt64
		}
		return b.infos(ctx, req.Namespace, n, statement{name: "history", args: []any{req.Namespace, req.Thread, req.Now, before, n}})
	})
}

// infos runs a statement whose rows are Infos, n at most.
func (b *backend) infos(ctx context.Context, namespace string, n int, s statement) (infos []driver.Info, err error) {
	s.reads = true
	s.rows = func(rows *sql.Rows) (err error) {
		infos, err = sqlstore.Infos(rows, namespace, n)
		return err
	}
	if err := b.run(ctx, s); err != nil {
		return nil, err
	}
	return infos, nil
}

// Namespaces implements driver.NamespaceLister.
func (b *backend) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	return sqlstore.Namespaces(func(after string, n int) (names []string, err error) {
		err = b.run(ctx, statement{name: "namespaces", args: []any{after, n}, reads: true, rows: func(rows *sql.Rows) error {
			names = names[:0]
			for rows.Next() {
				var name string
				if err := rows.Scan(&name); err != nil {
					return err
				}
				names = append(names, name)
			}
			return rows.Err()
		}})
		return names, err
	})
}

package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// load reads the latest checkpoint of a thread, or one version.
func (o operation) load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
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
	if err := o.run(ctx, s); err != nil {
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

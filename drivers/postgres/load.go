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
	s.rows = func(rows *sql.Rows) (err error) {
		if found = rows.Next(); !found {
			return rows.Err()
		}
		c, err = scanCheckpoint(rows, req.Namespace)
		return err
	}
	if err := o.run(ctx, s); err != nil {
		return driver.Checkpoint{}, err
	}
	if !found {
		return driver.Checkpoint{}, driver.ErrNotFound
	}
	return c, nil
}

// scanCheckpoint reads a row of a sqlstore.Row, payload and state, and what
// follows them. With driver.ErrCorrupt it returns the Info as far as it is known.
func scanCheckpoint(rows *sql.Rows, namespace string, more ...any) (driver.Checkpoint, error) {
	var row sqlstore.Row
	var payload, state content
	if err := rows.Scan(row.Dest(append([]any{&payload, &state}, more...)...)...); err != nil {
		return driver.Checkpoint{}, damaged(err)
	}
	info, err := row.Info(namespace)
	c := driver.Checkpoint{Info: info}
	switch {
	case err != nil:
		return c, err
	case payload != nil && len(payload) != info.Size:
		return c, fmt.Errorf("%w: thread %q version %d has %d bytes instead of %d", driver.ErrCorrupt, info.Thread, info.Version, len(payload), info.Size)
	case payload != nil:
		c.Payload = payload
	case state != nil && info.Encoding == "json":
		c.Payload = state
	default:
		return c, fmt.Errorf("%w: thread %q version %d has no payload of its encoding", driver.ErrCorrupt, info.Thread, info.Version)
	}
	return c, nil
}

// find returns the Info of the kept version with an id.
func (o operation) find(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
	infos, err := o.infos(ctx, req.Namespace, 1, statement{name: "find", args: []any{req.Namespace, req.Thread, req.Now, req.ID}})
	if err == nil && len(infos) == 0 {
		err = driver.ErrNotFound
	}
	if err != nil {
		return driver.Info{}, err
	}
	return infos[0], nil
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

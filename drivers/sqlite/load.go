package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// query calls f, which reads, until no other process's lock is in its way.
func (d *database) query(ctx context.Context, f func() error) error {
	if d.readers != nil { // wait for a connection here, where the end of ctx is seen
		select {
		case d.readers <- struct{}{}:
			defer func() { <-d.readers }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return d.retry(ctx, func() error {
		if d.frozen == nil {
			if err := d.file.checkRead(); err != nil {
				return err
			}
			return f()
		}
		if err := d.frozen.check(); err != nil {
			return err
		}
		err := f()
		if changed := d.frozen.check(); changed != nil {
			return changed // what was read may be torn
		}
		return err
	})
}

// load reads a checkpoint, without what it builds on.
func (d *database) load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	stmt, args := d.stmt.load, []any{req.Namespace, req.Thread, req.Now.UnixMicro()}
	if req.Version != 0 {
		stmt, args = d.stmt.loadVersion, append(args, req.Version)
	}
	var row sqlstore.Row
	var state payload
	var digest sqlstore.NullText
	if err := d.query(ctx, func() error {
		err := stmt.QueryRowContext(d.unwatched(ctx), args...).Scan(row.Dest(&digest, &state)[1:]...)
		if errors.Is(err, sql.ErrNoRows) {
			return driver.ErrNotFound
		}
		return err
	}); err != nil {
		return driver.Checkpoint{}, err
	}
	info, err := row.Info(req.Namespace)
	if err != nil {
		return driver.Checkpoint{}, err
	}
	info.Thread = req.Thread
	if len(state) != info.Size {
		return driver.Checkpoint{}, wrongSize(info, state)
	}
	return driver.Checkpoint{Info: info, Payload: state, Digest: string(digest)}, nil
}

func (d *database) find(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
	var row sqlstore.Row
	if err := d.query(ctx, func() error {
		err := d.stmt.find.QueryRowContext(d.unwatched(ctx), req.Namespace, req.Thread, req.Now.UnixMicro(), req.ID).Scan(row.Dest()...)
		if errors.Is(err, sql.ErrNoRows) {
			return driver.ErrNotFound
		}
		return err
	}); err != nil {
		return driver.Info{}, err
	}
	return row.Info(req.Namespace)
}

// payload receives a state.
type payload []byte

// Scan implements sql.Scanner.
func (p *payload) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok {
		return fmt.Errorf("%w: a state is stored as a %T", driver.ErrCorrupt, src)
	}
	*p = append(payload{}, b...)
	return nil
}

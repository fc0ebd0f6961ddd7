package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// query calls f, which reads, until no other process's lock is in its way.
func (s *session) query(ctx context.Context, f func() error) error {
	if s.readers != nil { // wait for a connection here, where the end of ctx is seen
		select {
		case s.readers <- struct{}{}:
			defer func() { <-s.readers }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.retry(ctx, func() error {
		if s.frozen == nil {
			return f()
		}
		if err := s.frozen.check(); err != nil {
			return err
		}
		err := f()
		if changed := s.frozen.check(); changed != nil {
			return changed // what was read may be torn
		}
		return err
	})
}

func (s *session) load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	stmt, args := s.stmt.load, []any{req.Namespace, req.Thread, req.Now.UnixMicro()}
	if req.Version != 0 {
		stmt, args = s.stmt.loadVersion, append(args, req.Version)
	}
	var row sqlstore.Row
	var state payload
	if err := s.query(ctx, func() error {
		err := stmt.QueryRowContext(s.unwatched(ctx), args...).Scan(row.Dest(&state)[1:]...)
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
		return driver.Checkpoint{}, fmt.Errorf("%w: version %d of thread %q has %d bytes and should have %d",
			driver.ErrCorrupt, info.Version, info.Thread, len(state), info.Size)
	}
	return driver.Checkpoint{Info: info, Payload: state}, nil
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

// noBound is greater than every text: SQLite sorts BLOBs after TEXT.
var noBound = []byte{}

func (s *session) list(ctx context.Context, req driver.ListRequest, low, high string, n int) (infos []driver.Info, err error) {
	upper := any(high)
	if high == "" {
		upper = noBound
	}
	err = s.query(ctx, func() error {
		rows, err := s.stmt.list.QueryContext(ctx, req.Namespace, low, upper, req.Now.UnixMicro(), n)
		if err != nil {
			return err
		}
		infos, err = sqlstore.Infos(rows, req.Namespace, n)
		return err
	})
	return infos, err
}

func (s *session) history(ctx context.Context, req driver.HistoryRequest, before int64, n int) (infos []driver.Info, err error) {
	if before == 0 {
		before = math.MaxInt64
	}
	err = s.query(ctx, func() error {
		rows, err := s.stmt.history.QueryContext(ctx, req.Namespace, req.Thread, req.Now.UnixMicro(), before, n)
		if err != nil {
			return err
		}
		infos, err = sqlstore.Infos(rows, req.Namespace, n)
		return err
	})
	return infos, err
}

func (s *session) namespaces(ctx context.Context, after string, n int) (names []string, err error) {
	err = s.query(ctx, func() error {
		rows, err := s.stmt.namespaces.QueryContext(ctx, after, n)
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

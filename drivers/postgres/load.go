package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// chainLoads is how many loads after one that met a chain, or after a save into one,
// ask for chains at once, in one round trip. Others would pay a quarter of their time
// for it, and make a second round trip when they meet one.
const chainLoads = 64

// load reads the latest checkpoint of a thread, or one version.
func (o operation) load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	chain := o.chains.Load() > 0
	c, found, linked, err := o.loadOnce(ctx, req, chain)
	if err == nil && linked && !chain {
		c, found, linked, err = o.loadOnce(ctx, req, true)
	}
	switch {
	case err != nil:
		return driver.Checkpoint{}, err
	case linked:
		o.chains.Store(chainLoads)
	case chain:
		o.chains.Add(-1)
	}
	if !found {
		return driver.Checkpoint{}, driver.ErrNotFound
	}
	return c, nil
}

// loadOnce reads a checkpoint, with its chain or without, and reports whether it has
// one.
func (o operation) loadOnce(ctx context.Context, req driver.LoadRequest, chain bool) (c driver.Checkpoint, found, linked bool, err error) {
	s := statement{name: "load", args: []any{req.Namespace, req.Thread, req.Now}, reads: true}
	if chain {
		s.name = "load-chain"
	}
	if req.Version != 0 {
		s.name, s.args = s.name+"-version", append(s.args, req.Version)
	}
	s.rows = func(rows *sql.Rows) (err error) {
		if chain {
			c, found, linked, err = scanChain(rows, req.Namespace)
			return err
		}
		if found = rows.Next(); !found {
			return rows.Err()
		}
		var s scanned
		if err := rows.Scan(s.dest()...); err != nil {
			return damaged(err)
		}
		if linked = s.linked(); !linked {
			c, err = s.checkpoint(req.Namespace)
		}
		return err
	}
	err = o.run(ctx, s)
	return c, found, linked, err
}

// scanChain reads what a load of a chain returns: one row, or one for each version that
// the checkpoint builds on and one for itself; and reports whether there is a chain.
func scanChain(rows *sql.Rows, namespace string) (c driver.Checkpoint, found, linked bool, err error) {
	var links []driver.Link
	for rows.Next() {
		var s scanned
		var version, base sql.NullInt64
		var id, encoding, digest sqlstore.NullText
		var payload content
		if err := rows.Scan(s.dest(&version, &id, &encoding, &base, &digest, &payload)...); err != nil {
			return c, false, false, damaged(err)
		}
		info, err := s.row.Info(namespace)
		linked = version.Valid
		switch {
		case err != nil:
			return c, false, false, err
		case !version.Valid: // the payload is in the row
		case version.Int64 != info.Version:
			links = append(links, driver.Link{Version: version.Int64, ID: string(id), Encoding: string(encoding), Base: base.Int64, Payload: payload})
			c.Info = info
			continue
		case string(id) == info.ID:
			s.payload = payload
		}
		if c, err = s.checkpoint(namespace); err != nil {
			return c, false, false, err
		}
		found, c.Digest = true, string(digest)
	}
	switch err := rows.Err(); {
	case err != nil:
		return c, false, false, err
	case !found && len(links) > 0:
		return c, false, false, missing(c.Info)
	}
	slices.SortFunc(links, func(a, b driver.Link) int { return cmp.Compare(a.Version, b.Version) })
	c.Links = links
	return c, found, linked, nil
}

// scanned is a row of a sqlstore.Row, payload and state.
type scanned struct {
	row            sqlstore.Row
	payload, state content
}

// dest returns what to hand to Scan, followed by the caller's own columns.
func (s *scanned) dest(more ...any) []any {
	return s.row.Dest(append([]any{&s.payload, &s.state}, more...)...)
}

// linked reports whether the payload is in the table of chains.
func (s *scanned) linked() bool { return s.payload != nil && len(s.payload) == 0 && s.row.Size() > 0 }

// checkpoint returns what was scanned. With driver.ErrCorrupt it returns the Info as far
// as it is known.
func (s *scanned) checkpoint(namespace string) (driver.Checkpoint, error) {
	info, err := s.row.Info(namespace)
	c := driver.Checkpoint{Info: info}
	switch {
	case err != nil:
		return c, err
	case s.payload != nil && len(s.payload) != info.Size:
		return c, fmt.Errorf("%w: thread %q version %d has %d bytes instead of %d", driver.ErrCorrupt, info.Thread, info.Version, len(s.payload), info.Size)
	case s.payload != nil:
		c.Payload = s.payload
	case s.state != nil && info.Encoding == "json":
		c.Payload = s.state
	default:
		return c, missing(info)
	}
	return c, nil
}

func missing(info driver.Info) error {
	return fmt.Errorf("%w: thread %q version %d has no payload of its encoding", driver.ErrCorrupt, info.Thread, info.Version)
}

// scanCheckpoint reads a row with its payload, and what follows it.
func scanCheckpoint(rows *sql.Rows, namespace string, more ...any) (driver.Checkpoint, error) {
	var s scanned
	if err := rows.Scan(s.dest(more...)...); err != nil {
		return driver.Checkpoint{}, damaged(err)
	}
	return s.checkpoint(namespace)
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

package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// The payload of a version that has a digest is in the table of chains, and stays
// there until no visible version needs it. docs/design.md, "Incremental saves".

// takes decides whether a patch was made against the latest version.
func (tx *transaction) takes(h head, req driver.PatchRequest) error {
	var digest sqlstore.Text
	found := false
	// A repeated save may have begun another life with the same id and bytes.
	if h.live && h.chained && h.id == req.Previous.ID && req.Base == cmp.Or(h.base, h.version) {
		var err error
		if found, err = tx.row(tx.db.stmt.digest, []any{req.Namespace, req.Thread, h.version, h.id}, []any{&digest}); err != nil {
			return err
		}
	}
	if found && string(digest) == req.Previous.Digest {
		return nil
	}
	return driver.ErrBase
}

// putChain keeps the payload of info, whose row has been written, in the chain of the
// thread whose head was h, and drops what nothing needs any more. Without a digest
// the payload is in the row.
func (tx *transaction) putChain(h head, info driver.Info, payload []byte, digest string, keep int) error {
	stmt := &tx.db.stmt
	needed := int64(math.MaxInt64) // from here on; nothing of another life
	if h.continues(info) {
		var err error
		if needed, err = tx.needed(h, info, keep); err != nil {
			return err
		}
	}
	var values []any
	if digest != "" {
		values = []any{info.Version, info.ID, info.Base, info.Encoding, digest, notNil(payload), info.Namespace, info.Thread}
	}
	if h.lowest == 0 || h.lowest >= needed { // nothing goes
		if digest != "" {
			_, err := tx.exec(stmt.insertChain, values...)
			return err
		}
		return nil
	}
	last := min(needed-1, h.version) // of those that go
	if digest == "" || !h.continues(info) {
		last = needed
	}
	if h.lowest < last {
		if _, err := tx.exec(stmt.trimChain, info.Namespace, info.Thread, last); err != nil {
			return err
		}
	}
	if digest == "" {
		return nil
	}
	if n, err := tx.exec(stmt.recycleChain, append(values, last)...); err != nil || n == 1 {
		return err
	}
	_, err := tx.exec(stmt.insertChain, values...)
	return err
}

// needed returns the lowest version that must stay once info, with which the thread's
// life goes on, is its latest version.
func (tx *transaction) needed(h head, info driver.Info, keep int) (int64, error) {
	oldest := h.version
	if h.oldest > 0 {
		oldest = h.oldest
	}
	oldest = max(oldest, info.Version-int64(keep)+1) // of those that are visible then
	base := info.Base
	switch oldest {
	case info.Version:
	case h.version:
		base = h.base
	default:
		var stored any
		if _, err := tx.row(tx.db.stmt.olderBase, []any{info.Namespace, info.Thread, oldest}, []any{&stored}); err != nil {
			return 0, err
		}
		base, _ = stored.(int64)
	}
	if base > 0 {
		return base, nil
	}
	return oldest, nil
}

// rewriteChain replaces the payload of a version in the chain, and reports whether it
// was there.
func (tx *transaction) rewriteChain(req driver.RewriteRequest) (bool, error) {
	n, err := tx.exec(tx.db.stmt.rewriteChain, req.Encoding, req.Digest, notNil(req.Payload), req.Namespace, req.Thread, req.Version, req.ID)
	return n == 1, err
}

// links reads what a patched version builds on. It reports false when the version
// itself is no longer there.
func (d *database) links(ctx context.Context, info driver.Info) (links []driver.Link, found bool, err error) {
	err = d.query(ctx, func() error {
		links, found = nil, false
		rows, err := d.stmt.links.QueryContext(ctx, info.Namespace, info.Thread, info.Base, info.Version)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var l driver.Link
			var id, encoding sqlstore.Text
			if err := rows.Scan(&l.Version, &id, &encoding, &l.Base, (*payload)(&l.Payload)); err != nil {
				return fmt.Errorf("%w: a version that version %d of thread %q builds on has a column of another type", driver.ErrCorrupt, info.Version, info.Thread)
			}
			l.ID, l.Encoding = string(id), string(encoding)
			if l.Version == info.Version {
				found = l.ID == info.ID
				break
			}
			links = append(links, l)
		}
		return rows.Err()
	})
	return links, found, err
}

// loadChain reads a checkpoint and what it builds on. What was trimmed between the two
// is read anew.
func (d *database) loadChain(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	for {
		cp, err := d.load(ctx, req)
		if err != nil || cp.Base == 0 {
			return cp, err
		}
		if req.Version == 0 && req.Known == (driver.Previous{ID: cp.ID, Digest: cp.Digest}) {
			return driver.Checkpoint{Info: cp.Info, Digest: cp.Digest, Known: true}, nil
		}
		var found bool
		if cp.Links, found, err = d.links(ctx, cp.Info); err != nil {
			return driver.Checkpoint{}, err
		}
		if found {
			return cp, nil
		}
	}
}

package sqlite

import (
	"fmt"
	"math"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// A head is what a save has to know of a thread, dead or alive.
type head struct {
	live    bool  // it is there, and has not expired
	key     int64 // of the row of its latest version, 0 if there is none
	id      string
	version int64
	created time.Time
	oldest  int64 // the lowest of the older versions, 0 if there is none
	withID  int64 // the older version that has the id asked for, 0 if there is none
	chained bool  // the payload of its latest version is in the table of chains
	base    int64 // of the latest version, 0 where it is whole
	lowest  int64 // the lowest version in the table of chains, 0 if there is none
}

// head reads the head of a thread and looks for id among its older versions.
func (tx *transaction) head(key driver.Key, id string, now time.Time) (head, error) {
	var v [9]any
	found, err := tx.row(tx.db.stmt.head, []any{key.Namespace, key.Thread, id}, []any{&v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8]})
	if err != nil || !found {
		return head{}, err
	}
	rowid, ok1 := v[0].(int64)
	headID, ok2 := v[1].(string)
	version, ok3 := v[2].(int64)
	created, ok4 := v[3].(int64)
	expires, ok5 := v[4].(int64)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 && v[4] != nil {
		return head{}, fmt.Errorf("%w: the latest row of thread %q holds values of other types", driver.ErrCorrupt, key.Thread)
	}
	h := head{
		live: v[4] == nil || expires > now.UnixMicro(),
		key:  rowid, id: headID, version: version, created: time.UnixMicro(created).UTC(),
	}
	h.oldest, _ = v[5].(int64)
	h.withID, _ = v[6].(int64)
	h.base, h.chained = v[7].(int64)
	h.lowest, _ = v[8].(int64)
	return h, nil
}

// continues reports whether info is the next version of the same life.
func (h head) continues(info driver.Info) bool { return h.live && h.version == info.Version-1 }

// holds decides a condition.
func (h head) holds(m driver.Match) bool {
	if !h.live {
		return m.Holds(driver.Info{})
	}
	return m.Holds(driver.Info{ID: h.id, Version: h.version})
}

// info reads the Info of the latest version, which is there, or of an older
// one, for which it returns the zero Info if it is not kept.
func (tx *transaction) info(key driver.Key, h head, version int64) (driver.Info, error) {
	stmt, args := tx.db.stmt.latest, []any{key.Namespace, key.Thread}
	if version != h.version {
		stmt, args = tx.db.stmt.older, append(args, version)
	}
	var row sqlstore.Row
	found, err := tx.row(stmt, args, row.Dest())
	if err != nil || !found {
		return driver.Info{}, err
	}
	return row.Info(key.Namespace)
}

// conflict returns the error of a write that met the thread as it is.
func (tx *transaction) conflict(key driver.Key, h head) error {
	if !h.live {
		return &driver.ConflictError{}
	}
	current, err := tx.info(key, h, h.version)
	if err != nil {
		return err
	}
	return &driver.ConflictError{Current: current}
}

// save decides a save, of a patch where Base is not 0, and writes it.
func (tx *transaction) save(req driver.PatchRequest) (driver.Info, error) {
	h, err := tx.head(req.Key, req.ID, req.Now)
	if err != nil {
		return driver.Info{}, err
	}
	if h.live { // rule 3 comes before the condition: a repeated save is no conflict
		switch {
		case h.id == req.ID:
			return tx.info(req.Key, h, h.version)
		case h.withID > 0:
			return tx.info(req.Key, h, h.withID)
		}
	}
	if !h.holds(req.Match) {
		return driver.Info{}, tx.conflict(req.Key, h)
	}
	if req.Base != 0 {
		if err := tx.takes(h, req); err != nil {
			return driver.Info{}, err
		}
	}
	info := driver.Info{
		Key:       req.Key,
		ID:        req.ID,
		Version:   1,
		Size:      len(req.Payload),
		Encoding:  req.Encoding,
		Base:      req.Base,
		Metadata:  backends.CloneMetadata(req.Metadata),
		CreatedAt: req.Now,
		SavedAt:   req.Now,
		ExpiresAt: req.ExpiresAt,
	}
	if h.live {
		if h.version >= driver.MaxVersion {
			return driver.Info{}, backends.ErrHighestVersion
		}
		info.Version, info.CreatedAt = h.version+1, h.created
	}
	if err := tx.put(h, info, req.Payload, req.Digest, req.Keep); err != nil {
		return driver.Info{}, err
	}
	return info, nil
}

// importCheckpoint decides an import and writes it.
func (tx *transaction) importCheckpoint(req driver.ImportRequest) error {
	h, err := tx.head(req.Key, req.ID, req.Now)
	if err != nil {
		return err
	}
	if h.live && req.Version <= h.version {
		there, err := tx.info(req.Key, h, req.Version)
		if err != nil || there.ID == req.ID {
			return err
		}
		return tx.conflict(req.Key, h)
	}
	if !h.holds(req.Match) {
		return tx.conflict(req.Key, h)
	}
	info := req.Info
	info.Size, info.Base = len(req.Payload), 0
	return tx.put(h, info, req.Payload, "", req.Keep)
}

// rewrite replaces the payload of one version.
func (tx *transaction) rewrite(req driver.RewriteRequest) error {
	h, err := tx.head(req.Key, req.ID, req.Now)
	if err != nil {
		return err
	}
	if !h.live || !req.Holds(driver.Info{CreatedAt: h.created}) {
		return driver.ErrNotFound
	}
	chained := false
	if h.lowest > 0 {
		if chained, err = tx.rewriteChain(req); err != nil {
			return err
		}
	}
	key := h.key
	if req.Version != h.version || req.ID != h.id {
		found, err := tx.row(tx.db.stmt.olderKey, []any{req.Namespace, req.Thread, req.Version, req.ID}, []any{&key})
		if err != nil {
			return err
		}
		if !found && chained {
			return nil // it is invisible, and needed
		}
		if !found {
			return driver.ErrNotFound
		}
	}
	switch {
	case chained:
		_, err = tx.exec(tx.db.stmt.describe, req.Encoding, len(req.Payload), key)
	case req.Digest != "":
		if _, err = tx.exec(tx.db.stmt.link, req.Encoding, len(req.Payload), key); err == nil {
			_, err = tx.exec(tx.db.stmt.insertChain, req.Version, req.ID, 0, req.Encoding, req.Digest, notNil(req.Payload), req.Namespace, req.Thread)
		}
	default:
		_, err = tx.exec(tx.db.stmt.forEncoding(req.Encoding).rewrite, req.Encoding, len(req.Payload), notNil(req.Payload), key)
	}
	return err
}

// put makes info the latest version of the thread whose head is h, and leaves
// the newest keep versions. When info does not go on where h is, in the same
// life, nothing of the thread is left beside it.
func (tx *transaction) put(h head, info driver.Info, payload []byte, digest string, keep int) error {
	var state any = notNil(payload)
	write := tx.db.stmt.forEncoding(info.Encoding)
	if digest != "" {
		state, write = info.Base, &tx.db.stmt.blob
	}
	if err := tx.putRow(h, info, write, state, keep); err != nil {
		return err
	}
	if digest == "" && h.lowest == 0 {
		return nil
	}
	return tx.putChain(h, info, payload, digest, keep)
}

// putRow writes the row of the new latest version.
//
// The row of a version that goes is used for the one that comes: the indexes
// and the free pages of the file stay as they are, which is most of what a
// deletion and an insertion would cost.
func (tx *transaction) putRow(h head, info driver.Info, write *stateStatements, state any, keep int) error {
	stmt := &tx.db.stmt
	values := make([]any, 0, 12)
	values = append(values,
		info.Version, info.ID, info.Encoding, info.Size, sqlstore.EncodeMetadata(info.Metadata),
		info.CreatedAt.UnixMicro(), info.SavedAt.UnixMicro(), sqlstore.NullMicros(info.ExpiresAt), state)
	if h.key == 0 {
		_, err := tx.exec(write.insert, append(values, info.Namespace, info.Thread)...)
		return err
	}
	lowest := info.Version - int64(keep) + 1 // of the versions to keep
	if !h.continues(info) || h.version < lowest {
		if h.oldest > 0 {
			if _, err := tx.exec(stmt.trim, info.Namespace, info.Thread, int64(math.MaxInt64)); err != nil {
				return err
			}
		}
		_, err := tx.exec(write.replace, append(values, h.key)...)
		return err
	}
	if _, err := tx.exec(stmt.supersede, h.key); err != nil {
		return err
	}
	if h.oldest > 0 && h.oldest < lowest {
		if h.oldest < lowest-1 { // more were kept until now
			if _, err := tx.exec(stmt.trim, info.Namespace, info.Thread, lowest-1); err != nil {
				return err
			}
		}
		if n, err := tx.exec(write.recycle, append(values, info.Namespace, info.Thread, lowest-1)...); err != nil || n == 1 {
			return err
		}
	}
	_, err := tx.exec(write.insert, append(values, info.Namespace, info.Thread)...)
	return err
}

// notNil returns an empty slice for nil, which database/sql takes for NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

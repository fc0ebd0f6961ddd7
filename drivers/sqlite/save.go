package sqlite

import (
	"database/sql"
	"maps"
	"math"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// A head is the latest version of a thread, dead or alive.
type head struct {
	driver.Info       // the zero value where there is none
	live        bool  // it is there, and has not expired
	key         int64 // of its row, 0 where there is none
	oldest      int64 // the lowest of the older versions that are kept, 0 if there is none
	withID      int64 // the older version that has the id asked for, 0 if there is none
}

// head reads the head of a thread and looks for id among its older versions.
func (tx *transaction) head(key driver.Key, id string, now time.Time) (head, error) {
	var h head
	var row sqlstore.Row
	var oldest, withID sql.NullInt64
	found, err := tx.row(tx.session.stmt.head, []any{key.Namespace, key.Thread, id}, row.Dest(&h.key, &oldest, &withID))
	if err != nil || !found {
		return head{}, err
	}
	h.oldest, h.withID = oldest.Int64, withID.Int64
	h.Info, err = row.Info(key.Namespace)
	h.live = !h.Expired(now)
	return h, err
}

// older reads an older version, and returns the zero Info if it is not kept.
func (tx *transaction) older(key driver.Key, version int64) (driver.Info, error) {
	var row sqlstore.Row
	found, err := tx.row(tx.session.stmt.older, []any{key.Namespace, key.Thread, version}, row.Dest())
	if err != nil || !found {
		return driver.Info{}, err
	}
	return row.Info(key.Namespace)
}

// save decides a save and writes it.
func (tx *transaction) save(req driver.SaveRequest) (driver.Info, error) {
	h, err := tx.head(req.Key, req.ID, req.Now)
	if err != nil {
		return driver.Info{}, err
	}
	if h.live { // rule 3 comes before the condition: a repeated save is no conflict
		switch {
		case h.ID == req.ID:
			return h.Info, nil
		case h.withID > 0:
			return tx.older(req.Key, h.withID)
		}
	}
	if err := check(req.Match, h); err != nil {
		return driver.Info{}, err
	}
	info := driver.Info{
		Key:       req.Key,
		ID:        req.ID,
		Version:   1,
		Size:      len(req.Payload),
		Encoding:  req.Encoding,
		Metadata:  cloneMetadata(req.Metadata),
		CreatedAt: req.Now,
		SavedAt:   req.Now,
		ExpiresAt: req.ExpiresAt,
	}
	if h.live {
		info.Version, info.CreatedAt = h.Version+1, h.CreatedAt
	}
	if err := tx.put(h, info, req.Payload, req.Keep); err != nil {
		return driver.Info{}, err
	}
	return info, nil
}

// check decides a condition.
func check(m driver.Match, h head) error {
	switch {
	case !h.live && m.ID != "":
		return &driver.ConflictError{}
	case h.live && (m.Absent || m.ID != "" && m.ID != h.ID):
		return &driver.ConflictError{Current: h.Info}
	}
	return nil
}

// importCheckpoint decides an import and writes it.
func (tx *transaction) importCheckpoint(req driver.ImportRequest) error {
	h, err := tx.head(req.Key, req.ID, req.Now)
	if err != nil {
		return err
	}
	if h.live && req.Version <= h.Version {
		there := h.Info
		if req.Version < h.Version {
			if there, err = tx.older(req.Key, req.Version); err != nil {
				return err
			}
		}
		if there.ID == req.ID {
			return nil
		}
		return &driver.ConflictError{Current: h.Info}
	}
	info := req.Info
	info.Size = len(req.Payload)
	return tx.put(h, info, req.Payload, req.Keep)
}

// rewrite replaces the payload of one version.
func (tx *transaction) rewrite(req driver.RewriteRequest) error {
	n, err := tx.exec(tx.session.stmt.rewrite, req.Encoding, len(req.Payload), req.Encoding == "json", notNil(req.Payload),
		req.Namespace, req.Thread, req.Now.UnixMicro(), req.Version, req.ID)
	if err == nil && n == 0 {
		err = driver.ErrNotFound
	}
	return err
}

// put makes info the latest version of the thread whose head is h, and leaves
// the newest keep versions. When info does not go on where h is, in the same
// life, nothing of the thread is left beside it.
//
// The row of a version that goes is used for the one that comes: the indexes
// and the free pages of the file stay as they are, which is most of what a
// deletion and an insertion would cost.
func (tx *transaction) put(h head, info driver.Info, payload []byte, keep int) error {
	stmt := &tx.session.stmt
	values := []any{
		info.Version, info.ID, info.Encoding, info.Size, sqlstore.EncodeMetadata(info.Metadata),
		info.CreatedAt.UnixMicro(), info.SavedAt.UnixMicro(), sqlstore.NullMicros(info.ExpiresAt),
		info.Encoding == "json", notNil(payload),
	}
	if h.key == 0 {
		_, err := tx.exec(stmt.insert, append(values, info.Namespace, info.Thread)...)
		return err
	}
	lowest := info.Version - int64(keep) + 1 // of the versions to keep
	if !h.live || h.Version != info.Version-1 || h.Version < lowest {
		if h.oldest > 0 {
			if _, err := tx.exec(stmt.trim, info.Namespace, info.Thread, int64(math.MaxInt64)); err != nil {
				return err
			}
		}
		_, err := tx.exec(stmt.replace, append(values, h.key)...)
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
		if n, err := tx.exec(stmt.recycle, append(values, info.Namespace, info.Thread, lowest-1)...); err != nil || n == 1 {
			return err
		}
	}
	_, err := tx.exec(stmt.insert, append(values, info.Namespace, info.Thread)...)
	return err
}

// notNil returns an empty slice for nil, which database/sql takes for NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func cloneMetadata(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return maps.Clone(m)
}

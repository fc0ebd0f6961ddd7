package bbolt

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

var errHighestVersion = fmt.Errorf("%w save: the thread has reached the highest version, %d", driver.ErrInvalid, int64(driver.MaxVersion))

// save saves a whole state, or a patch, whose Base is not 0.
func (t tx) save(req driver.PatchRequest) (driver.Info, error) {
	latest, err := t.live(req.Key, req.Now)
	if err != nil {
		return driver.Info{}, err
	}
	if v, err := t.withID(latest, req.ID); v != nil {
		return v.Info, err // saved before, which comes before the condition
	}
	current := driver.Info{CreatedAt: req.Now}
	if latest != nil {
		current = latest.Info
	}
	switch {
	case !req.Match.Holds(current):
		return driver.Info{}, conflict(latest)
	case req.Base != 0 && (latest == nil || latest.ID != req.Previous.ID || latest.Digest != req.Previous.Digest ||
		req.Base != cmp.Or(latest.Base, latest.Version)):
		return driver.Info{}, driver.ErrBase
	case current.Version >= driver.MaxVersion:
		return driver.Info{}, errHighestVersion
	}
	var metadata map[string]string
	if len(req.Metadata) > 0 {
		metadata = maps.Clone(req.Metadata)
	}
	info := driver.Info{
		Key: req.Key, ID: req.ID, Version: current.Version + 1, Size: len(req.Payload), Encoding: req.Encoding, Base: req.Base,
		Metadata: metadata, CreatedAt: current.CreatedAt, SavedAt: req.Now, ExpiresAt: req.ExpiresAt,
	}
	return info, t.add(version{header{Info: info, Digest: req.Digest}, req.Payload}, latest, req.Keep)
}

// conflict is the error of a condition that does not hold.
func conflict(latest *version) error {
	if latest == nil {
		return new(driver.ConflictError)
	}
	return &driver.ConflictError{Current: latest.Info}
}

// take writes a version of another store.
func (t tx) take(req driver.ImportRequest) error {
	latest, err := t.live(req.Key, req.Now)
	if err != nil {
		return err
	}
	if latest != nil && latest.Version >= req.Version {
		v, err := t.visible(latest, req.Version)
		if err == nil && (v == nil || v.ID != req.ID) {
			err = conflict(latest)
		}
		return err
	}
	var current driver.Info
	if latest != nil {
		current = latest.Info
	}
	if !req.Match.Holds(current) {
		return conflict(latest)
	}
	info := req.Info
	info.Base, info.Size = 0, len(req.Payload) // it is whole
	return t.add(version{header{Info: info}, req.Payload}, latest, req.Keep)
}

// add makes a version the latest one and drops what is not kept any more, but for
// what the lowest visible version needs.
func (t tx) add(v version, latest *version, keep int) (err error) {
	if latest == nil || latest.Version < v.Version-1 { // a new life, or a gap
		if err := t.drop(v.Key, driver.MaxVersion); err != nil {
			return err
		}
		if v.Life, err = t.versions.NextSequence(); err != nil {
			return err
		}
		v.Lowest = v.Version
	} else {
		v.Life, v.Lowest = latest.Life, max(latest.Lowest, v.Version-int64(keep)+1)
	}
	if err := t.put(v); err != nil {
		return err
	}
	lowest, err := t.get(v.Key, v.Lowest)
	if err != nil || lowest == nil {
		return err
	}
	return t.drop(v.Key, lowest.needs()-1)
}

func (t tx) put(v version) error {
	text, err := json.Marshal(v.header)
	if err != nil {
		return err
	}
	value := slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text, v.payload)
	if err := t.versions.Put(keyOf(v.Key, v.Version), value); err != nil {
		return err
	}
	return t.ids.Put(append(prefixOf(v.Key), v.ID...), binary.BigEndian.AppendUint64(nil, uint64(v.Version)))
}

// drop removes the versions of a thread up to a number.
func (t tx) drop(k driver.Key, upTo int64) error {
	prefix, from := prefixOf(k), keyOf(k, upTo)
	for c := t.versions.Cursor(); ; {
		key, value := c.Seek(from)
		if !bytes.HasPrefix(key, prefix) {
			return nil
		}
		if v, err := parse(key, value); err == nil { // what is damaged goes too
			if err := t.ids.Delete(append(prefixOf(k), v.ID...)); err != nil {
				return err
			}
		}
		if err := c.Delete(); err != nil {
			return err
		}
	}
}

func (t tx) remove(req driver.DeleteRequest) error {
	if req.Match != (driver.Match{}) {
		latest, err := t.live(req.Key, req.Now)
		if err != nil {
			return err
		}
		if latest == nil || !req.Match.Holds(latest.Info) {
			return conflict(latest)
		}
	}
	return t.drop(req.Key, driver.MaxVersion)
}

func (t tx) rewrite(req driver.RewriteRequest) error {
	latest, err := t.live(req.Key, req.Now)
	if err != nil {
		return err
	}
	v, err := t.get(req.Key, req.Version) // one that is invisible and needed too
	if latest == nil || v == nil || v.ID != req.ID || !req.Holds(latest.Info) {
		return cmp.Or(err, driver.ErrNotFound)
	}
	v.payload, v.Size, v.Encoding, v.Digest = req.Payload, len(req.Payload), req.Encoding, req.Digest
	return t.put(*v)
}

// sweep removes the threads under a prefix that have expired, or all of them, in
// batches of a transaction each. It counts those that have expired, or the others.
func (b *backend) sweep(ctx context.Context, namespace, prefix string, now time.Time, expired bool) (total int64, err error) {
	for from, more := lowestName(prefix), true; more; {
		var removed int64
		err := b.update(ctx, func(t tx) error {
			for range pageSize {
				latest, err := t.following(namespace, prefix, from)
				if err != nil || latest == nil {
					more = false
					return err
				}
				from = lowestName(latest.Thread + "\x00")
				gone := latest.Expired(now)
				if gone == expired {
					removed++
				}
				if gone || !expired {
					if err := t.drop(latest.Key, driver.MaxVersion); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return total, err
		}
		total += removed
	}
	return total, nil
}

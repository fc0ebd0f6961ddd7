package checkpoint

import (
	"context"
	"strconv"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
)

// The metadata that [Store.Restore] and [Store.Fork] write.
const (
	MetadataRestoredFrom = "restored_from" // the version, in decimal
	MetadataForkedFrom   = "forked_from"   // the id of the source
)

// Restore makes an older version of the thread its latest state again, by saving
// it as a new version with the metadata "restored_from" = version and nothing
// else. The versions in between stay in the history, as far as that reaches.
// [ErrNotFound] when the thread does not keep the version.
func (s *Store) Restore(ctx context.Context, thread string, version int64) (Info, error) {
	op := s.start("restore", thread)
	info, err := s.replay(ctx, thread, version, thread, saveOptions{ttl: s.ttl}, func(driver.Checkpoint) map[string]string {
		return map[string]string{MetadataRestoredFrom: strconv.FormatInt(version, 10)}
	})
	return info, op.end(ctx, info, err)
}

// Fork starts a new thread with a version of another one: it saves it as version
// 1 of newThread, with the metadata "forked_from" = the source's id.
// [ErrConflict] when newThread exists, [ErrNotFound] when the thread does not
// keep the version.
func (s *Store) Fork(ctx context.Context, thread string, version int64, newThread string) (Info, error) {
	op := s.start("fork", thread)
	o := saveOptions{ttl: s.ttl, match: driver.Match{Absent: true}}
	info, err := s.replay(ctx, thread, version, newThread, o, func(cp driver.Checkpoint) map[string]string {
		return map[string]string{MetadataForkedFrom: cp.ID}
	})
	return info, op.end(ctx, info, err)
}

// replay saves a kept version as the next checkpoint of a thread.
func (s *Store) replay(ctx context.Context, from string, version int64, to string, o saveOptions, metadata func(driver.Checkpoint) map[string]string) (Info, error) {
	return s.put(ctx, to, func(id string) (payload, saveOptions, error) {
		if err := names.CheckThread(from); err != nil {
			return payload{}, o, err
		}
		if err := checkVersion(version); err != nil {
			return payload{}, o, err
		}
		cp, err := s.fetch(ctx, from, version)
		if err != nil {
			return payload{}, o, err
		}
		o.metadata = metadata(cp)
		p, err := s.reseal(cp, s.key(to), id)
		return p, o, err
	})
}

// reseal returns a stored payload for another checkpoint of the store: as it is,
// or, since the encryption binds it to its place, opened and sealed again. What
// was compressed stays so.
func (s *Store) reseal(cp driver.Checkpoint, key driver.Key, id string) (payload, error) {
	p, err := s.open(cp)
	if err != nil || !strings.HasSuffix(cp.Encoding, "+"+stepSealed) {
		return p, err
	}
	return s.seal(p, key, id)
}

package checkpoint

import (
	"context"
	"strconv"

	"github.com/go-ckpt/checkpoint/driver"
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
	ctx, op := s.start(ctx, "restore", thread)
	info, err := s.restore(ctx, thread, version)
	return info, op.end(info, err)
}

func (s *Store) restore(ctx context.Context, thread string, version int64) (Info, error) {
	cp, err := s.source(ctx, thread, version)
	if err != nil {
		return Info{}, err
	}
	o, _ := s.saveOptions(nil)
	o.metadata = map[string]string{MetadataRestoredFrom: strconv.FormatInt(version, 10)}
	return s.replay(ctx, cp, thread, o)
}

// Fork starts a new thread with a version of another one: it saves it as version
// 1 of newThread, with the metadata "forked_from" = the source's id.
// [ErrConflict] when newThread exists, [ErrNotFound] when the thread does not
// keep the version.
func (s *Store) Fork(ctx context.Context, thread string, version int64, newThread string) (Info, error) {
	ctx, op := s.start(ctx, "fork", thread)
	info, err := s.fork(ctx, thread, version, newThread)
	return info, op.end(info, err)
}

func (s *Store) fork(ctx context.Context, thread string, version int64, newThread string) (Info, error) {
	if err := s.checkThread(ctx, newThread); err != nil {
		return Info{}, err
	}
	cp, err := s.source(ctx, thread, version)
	if err != nil {
		return Info{}, err
	}
	o, _ := s.saveOptions([]SaveOption{IfAbsent()})
	o.metadata = map[string]string{MetadataForkedFrom: cp.ID}
	return s.replay(ctx, cp, newThread, o)
}

// source fetches the version that Restore and Fork begin with.
func (s *Store) source(ctx context.Context, thread string, version int64) (driver.Checkpoint, error) {
	if err := s.checkThread(ctx, thread); err != nil {
		return driver.Checkpoint{}, err
	}
	if err := checkVersion(version); err != nil {
		return driver.Checkpoint{}, err
	}
	return s.fetch(ctx, thread, version, driver.Previous{})
}

// replay saves a stored checkpoint as the next one of a thread. A whole one goes as
// it is stored, what was compressed stays so; but the encryption binds a payload to
// its place, so that it is opened and sealed again.
func (s *Store) replay(ctx context.Context, cp driver.Checkpoint, thread string, o saveOptions) (Info, error) {
	if cp.Base != 0 || s.conn.patcher != nil {
		state, err := s.unpack(cp)
		if err != nil {
			return Info{}, err
		}
		return s.saveState(ctx, thread, state, o)
	}
	stored := payload{cp.Payload, cp.Encoding}
	p, err := s.open(stored, place{key: cp.Key, id: cp.ID})
	if err == nil && stored.sealed() {
		p, err = s.seal(p, place{key: s.key(thread), id: o.id})
	}
	if err != nil {
		return Info{}, err
	}
	return s.commit(ctx, thread, p, "", o)
}

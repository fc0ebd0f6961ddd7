package checkpoint

import (
	"context"
	"fmt"
	"reflect"

	"github.com/go-ckpt/checkpoint/driver"
)

// Load decodes the latest checkpoint of the thread into the variable that state
// points to, and returns its Info. [ErrNotFound] when the thread does not exist
// or has expired.
//
// JSON is decoded as by json.Unmarshal: numbers in an any become float64, and
// fields that the stored state lacks keep the values they have, so pass a fresh
// variable, or use [Get]. A state that does not fit the variable is an
// [ErrCorrupt], and then the Info is returned with it. A state that was saved as
// [Bytes] is loaded into a *Bytes, *[]byte or *any.
func (s *Store) Load(ctx context.Context, thread string, state any) (Info, error) {
	ctx, op := s.start(ctx, "load", thread)
	info, err := s.load(ctx, thread, 0, state)
	return info, op.end(info, err)
}

// LoadVersion is [Store.Load] of an older version, which counts from 1.
// [ErrNotFound] when the thread does not keep it.
func (s *Store) LoadVersion(ctx context.Context, thread string, version int64, state any) (Info, error) {
	ctx, op := s.start(ctx, "load", thread)
	info, err := s.loadVersion(ctx, thread, version, state)
	return info, op.end(info, err)
}

// Get loads the latest checkpoint of the thread as a new T.
func Get[T any](ctx context.Context, s *Store, thread string) (T, Info, error) {
	var state T
	info, err := s.Load(ctx, thread, &state)
	if err != nil {
		var zero T
		return zero, info, err
	}
	return state, info, nil
}

func (s *Store) loadVersion(ctx context.Context, thread string, version int64, state any) (Info, error) {
	if err := s.check(ctx); err != nil {
		return Info{}, err
	}
	if err := checkVersion(version); err != nil {
		return Info{}, err
	}
	return s.load(ctx, thread, version, state)
}

func checkVersion(v int64) error {
	if v < 1 {
		return fmt.Errorf("%w version %d: versions count from 1", ErrInvalid, v)
	}
	return nil
}

func (s *Store) load(ctx context.Context, thread string, version int64, state any) (Info, error) {
	if err := s.checkThread(ctx, thread); err != nil {
		return Info{}, err
	}
	if err := checkTarget("Load", state); err != nil {
		return Info{}, err
	}
	last := s.lastState(thread, version)
	cp, err := s.fetch(ctx, thread, version, driver.Previous{ID: last.id, Digest: last.digest})
	if err != nil {
		return Info{}, err
	}
	var p payload
	if cp.Known {
		p, err = s.recall(last, cp)
	} else if p, err = s.unpack(cp); err == nil && version == 0 {
		p = s.remember(cp, p)
	}
	if err == nil {
		err = s.decode(p, state)
	}
	if err != nil {
		return cp.Info, fmt.Errorf("version %d: %w", cp.Version, err)
	}
	return cp.Info, nil
}

// checkTarget returns an error unless state is what a state can be decoded into.
func checkTarget(method string, state any) error {
	if v := reflect.ValueOf(state); v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("%w target: %s needs a non-nil pointer, not %s", ErrInvalid, method, describe(v))
	}
	return nil
}

func describe(v reflect.Value) string {
	if !v.IsValid() {
		return "nil"
	}
	if v.Kind() == reflect.Pointer {
		return "a nil " + v.Type().String()
	}
	return v.Type().String()
}

// fetch returns a checkpoint as it is stored; version 0 is the latest. It may come
// without its payload where it is the known one.
func (s *Store) fetch(ctx context.Context, thread string, version int64, known driver.Previous) (driver.Checkpoint, error) {
	now, err := s.begin(ctx)
	if err != nil {
		return driver.Checkpoint{}, err
	}
	return s.conn.backend.Load(ctx, driver.LoadRequest{Key: s.key(thread), Version: version, Now: now, Known: known})
}

// Package anystate loads states as they were encoded, whatever their codec.
package anystate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/go-ckpt/checkpoint"
)

// A State is a state as its codec made it.
type State struct {
	Info   checkpoint.Info
	IsJSON bool
	Data   []byte
}

// Load loads a version of a thread; version 0 is the latest. What is not JSON needs a
// second look at the same version. With an ErrCorrupt the State has the Info.
func Load(ctx context.Context, store *checkpoint.Store, thread string, version int64) (State, error) {
	var value json.RawMessage
	info, err := load(ctx, store, thread, version, &value)
	if err == nil {
		return State{info, true, value}, nil
	}
	codec, _, _ := strings.Cut(info.Encoding, "+")
	if !errors.Is(err, checkpoint.ErrCorrupt) || codec == "" || codec == "json" {
		return State{Info: info}, err
	}
	if codec == "bytes" {
		var blob checkpoint.Bytes
		info, err = store.LoadVersion(ctx, thread, info.Version, &blob)
		return State{Info: info, Data: blob}, err
	}
	view := store.Namespace(store.InNamespace(), checkpoint.WithCodec(verbatim(codec)))
	var encoded verbatimState
	at, viewErr := view.LoadVersion(ctx, thread, info.Version, &encoded)
	if errors.Is(viewErr, checkpoint.ErrInvalid) {
		return State{Info: info}, err // the encoding that is stored names what cannot be a codec
	}
	return State{Info: at, Data: encoded}, viewErr
}

func load(ctx context.Context, store *checkpoint.Store, thread string, version int64, target any) (checkpoint.Info, error) {
	if version == 0 {
		return store.Load(ctx, thread, target)
	}
	return store.LoadVersion(ctx, thread, version, target)
}

// Decode returns the state of a version, JSON or bytes. With an error the State has
// the Info.
func Decode(v *checkpoint.Version) (State, error) {
	var value json.RawMessage
	err := v.Decode(&value)
	if err == nil {
		return State{v.Info, true, value}, nil
	}
	var blob checkpoint.Bytes
	if errors.Is(err, checkpoint.ErrCorrupt) && v.Decode(&blob) == nil {
		return State{Info: v.Info, Data: blob}, nil
	}
	return State{Info: v.Info}, err
}

// verbatim is the codec of that name, which only an application has: what it encoded
// is handed out as it is, and stored as it is.
type verbatim string

type verbatimState []byte

func (v verbatim) Name() string { return string(v) }

func (verbatim) Marshal(v any) ([]byte, error) {
	s, ok := v.(verbatimState)
	if !ok {
		return nil, errors.New("this codec stores only what it has handed out")
	}
	return s, nil
}

func (verbatim) Unmarshal(data []byte, target any) error {
	s, ok := target.(*verbatimState)
	if !ok {
		return errors.New("this codec only hands out what is stored")
	}
	*s = bytes.Clone(data)
	return nil
}

package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// A Codec turns states into bytes and back. It must be safe for concurrent use.
// Its errors are not shown to the caller, since they may quote the state.
type Codec interface {
	// Name is stored with every payload and finds the codec again: at most 64
	// printable ASCII characters without space and '+', not "bytes", and "json" of a
	// [JSONCodec] only.
	Name() string
	Marshal(v any) ([]byte, error)
	Unmarshal(data []byte, v any) error
}

// A JSONCodec writes and reads the encoding "json", which is its Name, in the place
// of this package's own codec: stores with either read each other's states. Package
// github.com/go-ckpt/checkpoint/fastjson has one.
//
// Unmarshal gives what json.Unmarshal gives, and its error is json.Unmarshal's. What
// Marshal returns must not change afterwards.
type JSONCodec interface {
	Codec

	// MarshalWithin is Marshal for a store, which does not look at the result again: a
	// valid JSON text in UTF-8 that nests at most depth levels and says what
	// json.Marshal would say. Text in the state that is not UTF-8 is an error, and not
	// replaced. After an error the store encodes the state with encoding/json, whose
	// result counts.
	MarshalWithin(v any, depth int) ([]byte, error)
}

// Bytes as a state are stored and loaded unchanged: for gob, protocol buffers
// and the blobs of other frameworks. Empty Bytes are a state.
type Bytes []byte

// The encodings of this package.
const (
	encodingJSON  = "json"
	encodingBytes = "bytes"
)

// encode turns a state into the payload of its first step.
func (s *Store) encode(state any) (payload, error) {
	p := payload{encoding: s.codec.Name()}
	checked := false
	switch v := state.(type) {
	case Bytes:
		p = payload{encoding: encodingBytes, data: v}
	case *Bytes:
		if v == nil {
			return p, fmt.Errorf("%w state: it is a nil *checkpoint.Bytes", ErrInvalid)
		}
		p = payload{encoding: encodingBytes, data: *v}
	default:
		var err error
		if p.data, checked, err = marshal(s.codec, state); err != nil {
			return p, fmt.Errorf("%w state: %w", ErrInvalid, encodeError(s.codec, state, err))
		}
	}
	if p.data == nil {
		p.data = []byte{}
	}
	if len(p.data) > s.maxSize {
		return p, fmt.Errorf("%w: it has %d bytes, this store takes %d (raise it with WithMaxStateSize or max_state_size)", ErrTooLarge, len(p.data), s.maxSize)
	}
	if p.encoding == encodingJSON && !checked {
		if err := checkJSON(p.data, state); err != nil {
			return p, fmt.Errorf("%w state: %w", ErrInvalid, err)
		}
	}
	return p, nil
}

// marshal encodes a state. It reports whether the codec vouches for the text and the
// depth of what it returns.
func marshal(c Codec, state any) (data []byte, checked bool, err error) {
	if fast, ok := c.(JSONCodec); ok {
		if data, err = fast.MarshalWithin(state, maxDepth); err == nil {
			return data, true, nil
		}
		c = jsonCodec{}
	}
	data, err = c.Marshal(state)
	return data, false, err
}

// encodeError says why a state could not be encoded, without what a marshaler of
// the application may have put into its error. Which type an error of encoding/json
// names, and whether it names one, differs between versions of Go.
func encodeError(c Codec, state any, err error) error {
	if unsupported, ok := errors.AsType[*json.UnsupportedTypeError](err); ok {
		return fmt.Errorf("%s cannot encode the type %s", c.Name(), typeName(unsupported.Type, state))
	}
	if value, ok := errors.AsType[*json.UnsupportedValueError](err); ok {
		var typ reflect.Type
		if value.Value.IsValid() {
			typ = value.Value.Type()
		}
		return fmt.Errorf("%s cannot encode a value of type %s: not a finite number, or a cycle of pointers", c.Name(), typeName(typ, state))
	}
	if failed, ok := errors.AsType[*json.MarshalerError](err); ok {
		return fmt.Errorf("%s cannot encode it: the marshaler of %s failed", c.Name(), typeName(failed.Type, state))
	}
	return fmt.Errorf("the codec %s cannot encode a %T", c.Name(), state)
}

// typeName names a type without the pointers to it, or else the type of the state.
func typeName(t reflect.Type, state any) string {
	if t == nil {
		return fmt.Sprintf("%T", state)
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.String()
}

// decode turns an encoded state into what it was, which may share memory with it.
func (s *Store) decode(p payload, target any) error {
	switch p.encoding {
	case encodingBytes:
		switch t := target.(type) {
		case *Bytes:
			*t = p.data
		case *[]byte:
			*t = p.data
		case *any:
			*t = Bytes(p.data)
		default:
			return fmt.Errorf("%w: it was saved as checkpoint.Bytes and is loaded into a *checkpoint.Bytes, not a %T", ErrCorrupt, target)
		}
		return nil
	case encodingJSON, s.codec.Name():
	default:
		return fmt.Errorf("%w: it was encoded by the codec %q; open the store with WithCodec for it", ErrCorrupt, p.encoding)
	}
	if _, ok := target.(*Bytes); ok {
		return fmt.Errorf("%w: it was saved as %s, not as checkpoint.Bytes", ErrCorrupt, p.encoding)
	}
	if p.encoding == encodingJSON {
		var c Codec = jsonCodec{} // another codec's store reads JSON too
		if s.codec.Name() == encodingJSON {
			c = s.codec
		}
		return decodeJSON(c, p.data, target)
	}
	if err := s.codec.Unmarshal(p.data, target); err != nil {
		return fmt.Errorf("%w: the codec %s cannot decode it into a %T", ErrCorrupt, p.encoding, target)
	}
	return nil
}

// checkCodec returns an error unless the codec has a name that it may have.
func checkCodec(c Codec) error {
	switch c.(type) {
	case jsonCodec:
		return nil
	case JSONCodec:
		if name := c.Name(); name != encodingJSON {
			return fmt.Errorf("a JSONCodec has the name %q, not %q", encodingJSON, name)
		}
		return nil
	}
	return checkStepName(c.Name(), encodingJSON, encodingBytes)
}

// checkStepName returns an error unless s can be part of an Encoding.
func checkStepName(s string, reserved ...string) error {
	if s == "" || len(s) > 64 {
		return fmt.Errorf("a name has 1 to 64 characters, not %d", len(s))
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '+' {
			return fmt.Errorf("the name %q: only printable ASCII without space and '+' is allowed", s)
		}
	}
	for _, r := range reserved {
		if s == r {
			return fmt.Errorf("the name %q is reserved", s)
		}
	}
	return nil
}

// jsonCodec is the default codec: encoding/json without the escapes that only
// HTML needs.
type jsonCodec struct {
	numbers bool // decoded into an any as json.Number
}

func (jsonCodec) Name() string { return encodingJSON }

func (jsonCodec) Marshal(v any) ([]byte, error) {
	var w lineWriter
	e := json.NewEncoder(&w)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(w.line, []byte{'\n'}), err
}

func (c jsonCodec) Unmarshal(data []byte, v any) error { return c.unmarshal(data, v) }

// A lineWriter keeps what an encoder writes, which it does in one call, at its
// exact size.
type lineWriter struct{ line []byte }

var _ io.Writer = (*lineWriter)(nil)

func (w *lineWriter) Write(p []byte) (int, error) {
	if w.line == nil {
		w.line = make([]byte, 0, len(p))
	}
	w.line = append(w.line, p...)
	return len(p), nil
}

// decodeJSON decodes with errors that do not quote the state.
func decodeJSON(c Codec, data []byte, target any) error {
	err := c.Unmarshal(data, target)
	if err == nil {
		return nil
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("%w: it is no JSON from byte %d on", ErrCorrupt, syntax.Offset)
	}
	if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		what, _, _ := strings.Cut(typ.Value, " ") // "number 300" quotes the state
		return fmt.Errorf("%w: a JSON %s does not fit the Go type %s of the target %T", ErrCorrupt, what, typeName(typ.Type, target), target)
	}
	return fmt.Errorf("%w: the JSON does not fit the target %v", ErrCorrupt, reflect.TypeOf(target))
}

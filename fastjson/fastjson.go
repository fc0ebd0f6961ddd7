package fastjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"

	"github.com/bytedance/sonic"
	"github.com/bytedance/sonic/utf8"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/jsonscan"
)

// Codec is JSON by github.com/bytedance/sonic. It is safe for concurrent use.
var Codec checkpoint.JSONCodec = codec{}

type codec struct{}

// maxDepth is the deepest that sonic is given to decode, which is the deepest that a
// store saves.
const maxDepth = 1000

var (
	// Without ValidateString text that is not UTF-8 is written as it is, and found,
	// and not replaced.
	encoder = sonic.Config{SortMapKeys: true, CompactMarshaler: true}.Froze()
	decoder = sonic.Config{CopyString: true, ValidateString: true}.Froze()

	// faster is whether sonic has its own code for this processor and version of Go,
	// and does not call encoding/json.
	faster = sonic.APIKind == sonic.UseSonicJSON

	errOther = errors.New("fastjson: left to encoding/json")
	errText  = errors.New("fastjson: text that is not UTF-8")
	errDepth = errors.New("fastjson: nested too deep")
)

func (codec) Name() string { return "json" }

// Marshal is MarshalWithin, or json.Marshal where that fails.
func (c codec) Marshal(v any) ([]byte, error) {
	data, err := c.MarshalWithin(v, maxDepth)
	if err != nil {
		return json.Marshal(v)
	}
	return data, nil
}

func (codec) MarshalWithin(v any, depth int) ([]byte, error) {
	if !faster || !judge(reflect.TypeOf(v)).plain {
		return nil, errOther
	}
	data, err := encoder.Marshal(v)
	switch {
	case err != nil:
		return nil, err
	case !utf8.Validate(data):
		return nil, errText
	case jsonscan.Deeper(data, depth):
		return nil, errDepth
	}
	return data, nil
}

// Unmarshal lets encoding/json decide what sonic does not take.
func (codec) Unmarshal(data []byte, v any) error {
	target := reflect.ValueOf(v)
	if !faster || target.Kind() != reflect.Pointer || target.IsNil() || !target.Elem().IsZero() || !decodes(data, target.Type()) {
		return json.Unmarshal(data, v)
	}
	if err := decoder.Unmarshal(data, v); err != nil {
		target.Elem().SetZero()
		return json.Unmarshal(data, v)
	}
	return nil
}

// decodes reports whether a text is given to sonic to be decoded into a type. What it
// hands out as it is, it does not look at closely enough: escapes like \u0-0 pass. Nor
// does it at the end of base64: "00=" passes for "00==".
func decodes(data []byte, t reflect.Type) bool {
	j := judge(t)
	return j.plain && utf8.Validate(data) && !jsonscan.Deeper(data, maxDepth) &&
		(!j.raw || !bytes.Contains(data, []byte(`\u`)) || json.Valid(data)) &&
		(!j.bytes || padded(data))
}

// padded reports whether every text that ends with '=' is as long as base64 can be. It
// does not say so of texts with escapes, of which base64 has no need.
func padded(data []byte) bool {
	if bytes.Contains(data, []byte(`\u003d`)) || bytes.Contains(data, []byte(`\u003D`)) {
		return false
	}
	for {
		text, rest, more := bytes.Cut(data, []byte(`="`))
		if !more {
			return true
		}
		text = text[bytes.LastIndexByte(text, '"')+1:]
		if len(text)%4 != 3 || bytes.IndexByte(text, '\\') >= 0 {
			return false
		}
		data = rest
	}
}

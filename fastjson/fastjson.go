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

// decodes reports whether a text is given to sonic to be decoded into a type. Sonic
// does not look closely enough at what it skips or hands out as it is, where escapes
// like \u0-0 pass, at the end of base64, where "00=" passes for "00==", and behind the
// last element of an array, where [0,0,] passes for two numbers.
func decodes(data []byte, t reflect.Type) bool {
	j := judge(t)
	return j.plain && utf8.Validate(data) && !jsonscan.Deeper(data, maxDepth) && escaped(data) &&
		(!j.bytes || padded(data)) && (!j.array || !trailing(data) || json.Valid(data))
}

// escapes are the letters of escapes of two characters.
var escapes = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

// escaped reports whether every backslash begins an escape of JSON.
func escaped(data []byte) bool {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 {
			return true
		}
		data = data[i+1:]
		switch {
		case len(data) > 0 && escapes[data[0]]:
			data = data[1:]
		case len(data) > 4 && data[0] == 'u' && areHex(data[1:5]):
			data = data[5:]
		default:
			return false
		}
	}
}

func areHex(digits []byte) bool {
	for _, c := range digits {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// trailing reports whether a ']' follows a comma, be it in a text.
func trailing(data []byte) bool {
	for {
		before, rest, more := bytes.Cut(data, []byte{']'})
		if !more {
			return false
		}
		if bytes.HasSuffix(bytes.TrimRight(before, " \t\r\n"), []byte{','}) {
			return true
		}
		data = rest
	}
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

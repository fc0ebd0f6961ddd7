package fastjson

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// judged holds what judge has found, by reflect.Type.
var judged sync.Map

// A judgement is what is known of a type.
type judgement struct {
	plain bool // states of it are given to sonic
	bytes bool // and bytes, which are spelled in base64
	array bool // and arrays of a fixed length
}

// judge tells whether states of a type are given to sonic. Left out are those about
// which it differs from encoding/json, or has crashed.
func judge(t reflect.Type) judgement {
	if t == nil {
		return judgement{plain: true}
	}
	if known, ok := judged.Load(t); ok {
		return known.(judgement)
	}
	seen := make(map[reflect.Type]bool)
	j := judgement{plain: isPlain(t, seen)}
	for part := range seen {
		j.array = j.array || part.Kind() == reflect.Array
		j.bytes = j.bytes || part.Kind() == reflect.Slice && part.Elem().Kind() == reflect.Uint8
	}
	judged.Store(t, j)
	return j
}

// isPlain reports whether a type is given to sonic; types that are being looked at are in seen.
func isPlain(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return true
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Bool, reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return true
	case reflect.Interface:
		return t.NumMethod() == 0
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 && t.Elem() != reflect.TypeFor[byte]() {
			return false // base64, or not
		}
		return isPlain(t.Elem(), seen)
	case reflect.Pointer, reflect.Array:
		return isPlain(t.Elem(), seen)
	case reflect.Map:
		return t.Key().Kind() == reflect.String && !hasMethods(t.Key()) && isPlain(t.Elem(), seen)
	case reflect.Struct:
		return hasMethods(t) || hasPlainFields(t, seen)
	}
	return false
}

// hasPlainFields reports whether all fields are plain, and none has an option or a name
// that the two libraries may understand in different ways.
func hasPlainFields(t reflect.Type, seen map[reflect.Type]bool) bool {
	names := make(map[string]bool)
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if f.Anonymous {
			return false
		}
		if !f.IsExported() || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if options != "" && options != "omitempty" && options != "omitzero" {
			return false
		}
		if name == "" {
			name = f.Name
		}
		name = strings.ToLower(name)
		if names[name] || !isWord(name) || !isPlain(f.Type, seen) {
			return false
		}
		names[name] = true
	}
	return true
}

// isWord reports whether a name has letters and digits of ASCII only, and '_' and '-'.
func isWord(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// hasMethods reports whether a type says itself how it is spelled.
func hasMethods(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	for _, method := range []reflect.Type{
		reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler](),
		reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	} {
		if p.Implements(method) {
			return true
		}
	}
	return false
}

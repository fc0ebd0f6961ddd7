package checkpoint

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// maxDepth is how deep a JSON state may nest. What some database would refuse or
// some reader would overflow on is refused for all, before it is stored.
const maxDepth = 1000

// checkJSON returns an error if the encoded state nests too deep, or holds text
// that is not UTF-8 or that encoding/json has replaced because it was not.
func checkJSON(data []byte, state any) error {
	if !utf8.Valid(data) {
		return errors.New("it holds text that is not UTF-8; save binary data as []byte or checkpoint.Bytes")
	}
	// encoding/json writes this escape for bytes that are not UTF-8. It also
	// stands in JSON that the application made itself; the state tells.
	if bytes.Contains(data, []byte(`\ufffd`)) && holdsBadText(reflect.ValueOf(state), maxDepth) {
		return errors.New("it holds a string that is not UTF-8; save binary data as []byte or checkpoint.Bytes")
	}
	if bytes.Count(data, []byte{'['})+bytes.Count(data, []byte{'{'}) > maxDepth && nesting(data) > maxDepth {
		return fmt.Errorf("it nests deeper than %d levels", maxDepth)
	}
	return nil
}

// nesting returns how deep valid JSON nests.
func nesting(data []byte) int {
	depth, deepest := 0, 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		case '"':
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
		}
	}
	return deepest
}

// holdsBadText reports whether a value that encoding/json has encoded holds a
// string or key that is not UTF-8. What marshals itself is not looked into.
func holdsBadText(v reflect.Value, depth int) bool {
	if !v.IsValid() || depth < 0 {
		return false
	}
	if v.CanAddr() && v.Addr().CanInterface() {
		if _, ok := v.Addr().Interface().(json.Marshaler); ok {
			return false
		}
	}
	if v.CanInterface() {
		switch m := v.Interface().(type) {
		case json.Marshaler:
			return false
		case encoding.TextMarshaler:
			if v.Kind() == reflect.Pointer && v.IsNil() {
				return false
			}
			text, err := m.MarshalText()
			return err == nil && !utf8.Valid(text)
		}
	}
	switch v.Kind() {
	case reflect.String:
		return !utf8.ValidString(v.String())
	case reflect.Pointer, reflect.Interface:
		return holdsBadText(v.Elem(), depth-1)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return false // encoded as base64, or as numbers
		}
		for i := range v.Len() {
			if holdsBadText(v.Index(i), depth-1) {
				return true
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if holdsBadText(it.Key(), depth-1) || holdsBadText(it.Value(), depth-1) {
				return true
			}
		}
	case reflect.Struct:
		t := v.Type()
		for i := range t.NumField() {
			f := t.Field(i)
			if (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" && holdsBadText(v.Field(i), depth-1) {
				return true
			}
		}
	}
	return false
}

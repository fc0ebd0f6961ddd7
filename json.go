package checkpoint

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"

	"github.com/go-ckpt/checkpoint/internal/jsonscan"
)

// maxDepth is how deep a JSON state may nest. What some database would refuse or
// some reader would overflow on is refused for all, before it is stored.
const maxDepth = 1000

// checkJSON returns an error if the encoded state nests too deep, or holds text
// that is not UTF-8 or that the encoder has replaced because it was not.
func checkJSON(data []byte, state any) error {
	valid, replaced := jsonscan.Text(data)
	if !valid {
		return errors.New("it holds text that is not UTF-8; save binary data as []byte or checkpoint.Bytes")
	}
	// What is not UTF-8 comes out of an encoder of JSON as U+FFFD. That character may
	// also have been in the state; the state tells.
	if replaced && holdsBadText(reflect.ValueOf(state), maxDepth) {
		return errors.New("it holds a string that is not UTF-8; save binary data as []byte or checkpoint.Bytes")
	}
	if jsonscan.Deeper(data, maxDepth) {
		return fmt.Errorf("it nests deeper than %d levels", maxDepth)
	}
	return nil
}

// holdsBadText reports whether a value that has been encoded as JSON holds a string
// or key that is not UTF-8. Of what marshals itself, what it marshals to is looked
// at.
func holdsBadText(v reflect.Value, depth int) bool {
	if !v.IsValid() || depth < 0 {
		return false
	}
	if v.CanAddr() && v.Addr().CanInterface() {
		if m, ok := v.Addr().Interface().(json.Marshaler); ok {
			return isBadText(m.MarshalJSON())
		}
	}
	if v.CanInterface() {
		if v.Kind() == reflect.Pointer && v.IsNil() {
			return false
		}
		switch m := v.Interface().(type) {
		case json.Marshaler:
			return isBadText(m.MarshalJSON())
		case encoding.TextMarshaler:
			return isBadText(m.MarshalText())
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

func isBadText(text []byte, err error) bool { return err == nil && !utf8.Valid(text) }

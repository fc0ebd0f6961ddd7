// Package memorypayloads looks at what a store in memory holds, whether a method of
// its backends shows it or not.
package memorypayloads

import (
	"bytes"
	"context"
	"reflect"

	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// Count returns a function for checkpointtest.StoredPayloads, which counts the byte
// slices with a mark that can be reached from the named stores of d. Nothing may use
// these stores meanwhile.
func Count(d *memory.Driver) func(context.Context, string) (int, error) {
	return func(_ context.Context, mark string) (int, error) {
		w := walk{mark: []byte(mark), seen: make(map[uintptr]bool)}
		w.into(reflect.ValueOf(d))
		return w.found, nil
	}
}

type walk struct {
	mark  []byte
	seen  map[uintptr]bool // pointers
	found int
}

func (w *walk) into(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && !w.seen[v.Pointer()] {
			w.seen[v.Pointer()] = true
			w.into(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			w.into(v.Field(i))
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			w.into(entries.Value())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if bytes.Contains(v.Bytes(), w.mark) {
				w.found++
			}
			return
		}
		for i := range v.Len() {
			w.into(v.Index(i))
		}
	}
}

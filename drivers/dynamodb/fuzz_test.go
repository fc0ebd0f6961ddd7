package dynamodb

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
)

// FuzzReadItem gives readItem an item with one attribute changed, removed or of
// another type: it is read as an item that can be written again and is the same
// then, or as ErrCorrupt.
func FuzzReadItem(f *testing.F) {
	at := time.UnixMicro(1_767_323_045_678_901).UTC()
	key := driver.Key{Namespace: "n", Thread: "t"}
	whole := func() attributes {
		i := &item{
			Info: driver.Info{
				Key: key, ID: "ID3", Version: 3, Encoding: "json", Size: 2, CreatedAt: at, SavedAt: at, ExpiresAt: at.Add(time.Hour),
				Metadata: map[string]string{"k": "v"},
			},
			life: "LIFE", first: 1, swept: 1, ids: []string{"ID2", "ID1"}, large: true, rewrite: "R", payload: []byte("{}"),
		}
		return i.head()
	}
	for _, name := range append(slices.Sorted(maps.Keys(whole())), "nothing") {
		for kind := range 8 {
			for _, value := range []string{"", "-1", "9223372036854775807", "a\nb"} {
				f.Add(name, kind, value)
			}
		}
	}
	f.Fuzz(func(t *testing.T, name string, kind int, value string) {
		a := whole()
		if v := attribute(kind, value); v != nil {
			a[name] = v
		} else {
			delete(a, name)
		}
		first, err := readItem(key, a)
		if err != nil {
			if !errors.Is(err, driver.ErrCorrupt) {
				t.Errorf("readItem with %s = %v: %v, want ErrCorrupt", name, a[name], err)
			}
			return
		}
		if first.Version < 1 || first.Version > driver.MaxVersion || first.ID == "" || first.Encoding == "" || first.Size < 0 {
			t.Errorf("readItem with %s = %v: %+v, want a checkpoint", name, a[name], first)
		}
		if first.legacy {
			return // another program's form, which this driver does not write
		}
		again, err := readItem(key, first.head())
		if err != nil || !sameItem(first, again) {
			t.Errorf("readItem with %s = %v: %+v, written again %+v, %v", name, a[name], first, again, err)
		}
	})
}

// sameItem compares what is stored; empty and missing are the same.
func sameItem(a, b *item) bool {
	shown := func(i *item) string {
		return fmt.Sprintf("%+v %q %q %d %q %q %d %d %q %v %q", i.Info, i.payload, i.chunks, i.parts, i.digest, i.life, i.first, i.swept, i.ids, i.large, i.rewrite)
	}
	return shown(a) == shown(b)
}

// FuzzReadJournal gives readJournal any text.
func FuzzReadJournal(f *testing.F) {
	f.Add(`{"Key":{"Namespace":"n","Thread":"t"},"ID":"J","At":"2026-01-02T03:04:05Z","Life":"L","From":1,"To":2,"Latest":3,"Large":true,"Chunks":[{"Name":"C","Parts":2}]}`)
	f.Add(`{"ID":"J","Chunks":[{"Name":"C","Parts":-1}]}`)
	f.Add(`{"ID":1}`)
	f.Add(`null`)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		j, err := readJournal(attributes{"journal": str(text)})
		if err == nil && j.ID == "" || err != nil && !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("readJournal(%q) = %+v, %v, want a journal with an id or ErrCorrupt", text, j, err)
		}
	})
}

// attribute is a value of one of the types that DynamoDB has, or nil.
func attribute(kind int, value string) types.AttributeValue {
	switch kind {
	case 1:
		return str(value)
	case 2:
		return &types.AttributeValueMemberN{Value: value}
	case 3:
		return bin([]byte(value))
	case 4:
		return boolean(value != "")
	case 5:
		return &types.AttributeValueMemberNULL{Value: true}
	case 6:
		return &types.AttributeValueMemberM{Value: attributes{value: str(value)}}
	case 7:
		return &types.AttributeValueMemberM{Value: attributes{value: num(1)}}
	}
	return nil
}

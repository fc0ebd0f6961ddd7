package checkpoint_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// otherJSON is a JSONCodec that spaces what it writes, so that it can be told apart,
// and refuses states that are strings.
type otherJSON struct{ name string }

func (c otherJSON) Name() string                     { return c.name }
func (otherJSON) Marshal(v any) ([]byte, error)      { return nil, errors.New("not called by a store") }
func (otherJSON) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }
func (otherJSON) MarshalWithin(v any, depth int) ([]byte, error) {
	if _, refused := v.(string); refused || depth != 1000 {
		return nil, errors.New("hunter2")
	}
	return json.MarshalIndent(v, "", " ")
}

// TestJSONCodec: stores with another codec of JSON and without one read each other's
// states; what the codec refuses is encoding/json's to judge, and what it returns is
// not looked at again.
func TestJSONCodec(t *testing.T) {
	t.Parallel()
	b := memory.New()
	plain, other := checkpoint.New(b), checkpoint.New(b, checkpoint.WithCodec(otherJSON{"json"}))
	load := func(s *checkpoint.Store) string {
		t.Helper()
		raw, info, err := checkpoint.Get[json.RawMessage](t.Context(), s, "t")
		if err != nil || info.Encoding != "json" {
			t.Fatalf("Get = %+v, %v", info, err)
		}
		return string(raw)
	}
	for _, tt := range []struct {
		by    *checkpoint.Store
		state any
		want  string
	}{
		{other, []int{1}, "[\n 1\n]"},
		{plain, []int{1}, "[1]"},
		{other, "refused", `"refused"`},
		{other, nested(1001), ""},
	} {
		if _, err := tt.by.Save(t.Context(), "t", tt.state); err != nil {
			t.Fatal(err)
		}
		if a, b := load(plain), load(other); a != b || tt.want != "" && a != tt.want {
			t.Errorf("%v is loaded as %q and %q, want %q", tt.state, a, b, tt.want)
		}
	}
	_, err := other.Save(t.Context(), "t", "\xff")
	if !errors.Is(err, checkpoint.ErrInvalid) || !strings.Contains(err.Error(), "a string that is not UTF-8") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Save of bad text = %v, want ErrInvalid as without the codec", err)
	}
	var wrong int
	if _, err := other.Load(t.Context(), "t", &wrong); !errors.Is(err, checkpoint.ErrCorrupt) || !strings.Contains(err.Error(), "a JSON array does not fit the Go type int") {
		t.Errorf("Load = %v, want ErrCorrupt as without the codec", err)
	}
}

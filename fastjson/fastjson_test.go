package fastjson

import (
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

// TestStoresMix: stores with the codec and without it read each other's states, also
// where these are patches.
func TestStoresMix(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]checkpoint.Option{"whole": nil, "incremental": {checkpoint.WithIncremental()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := memory.New()
			stores := []*checkpoint.Store{checkpoint.New(b, opts...), checkpoint.New(b, append(opts, checkpoint.WithCodec(Codec))...)}
			for n := range 6 {
				want := agentstate.New(20<<10+n*500, 1)
				if _, err := stores[n%2].Save(t.Context(), "t", want); err != nil {
					t.Fatal(err)
				}
				for _, s := range stores {
					got, info, err := checkpoint.Get[agentstate.State](t.Context(), s, "t")
					if err != nil || !strings.HasPrefix(info.Encoding, "json") {
						t.Fatalf("Get = %+v, %v", info, err)
					}
					a, _ := standard(t, got)
					if b, _ := standard(t, want); a != b {
						t.Errorf("save %d: got %.200s\nwant %.200s", n, a, b)
					}
				}
			}
		})
	}
}

// TestUsedVariable: what is decoded into a variable that is not zero is merged into it
// as by encoding/json.
func TestUsedVariable(t *testing.T) {
	t.Parallel()
	const text = `{"L":["x"],"M":{"b":2},"Any":{"deep":1}}`
	used := func() *scalars {
		return &scalars{S: "kept", L: []string{"a", "b"}, M: map[string]int{"a": 1}, Any: new(int)}
	}
	got, want := used(), used()
	gotErr, wantErr := Codec.Unmarshal([]byte(text), got), json.Unmarshal([]byte(text), want)
	if !reflect.DeepEqual(got, want) || (gotErr == nil) != (wantErr == nil) {
		t.Errorf("got %+v, %v\nwant %+v, %v", got, gotErr, want, wantErr)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state any
		want  bool
	}{
		{nil, true},
		{agentstate.State{}, true},
		{[]agentstate.Message{}, true},
		{&tree{}, true},
		{scalars{}, true},
		{map[string]any{}, true},
		{[]shout{}, true},
		{struct {
			A int `json:"-"`
			b io.Reader
		}{}, true},
		{map[*shout]int{}, false},
		{map[shout]int{}, false},
		{map[int]string{}, false},
		{map[time.Time]int{}, false},
		{[]io.Reader{}, false},
		{make(chan int), false},
		{struct{ tree }{}, false},
		{struct {
			A int `json:",string"`
		}{}, false},
		{struct {
			A int `json:"a"`
			B int `json:"A"`
		}{}, false},
		{struct {
			A int `json:"é"`
		}{}, false},
	} {
		if got := judge(reflect.TypeOf(tt.state)).plain; got != tt.want {
			t.Errorf("judge(%T).plain = %v, want %v", tt.state, got, tt.want)
		}
	}
}

// BenchmarkCodec compares the codec with encoding/json.
func BenchmarkCodec(b *testing.B) {
	for _, state := range []struct {
		name  string
		state any
	}{
		{"2KB", agentstate.New(2<<10, 1)},
		{"100KB", agentstate.New(100<<10, 1)},
		{"recording", agentstate.Recording(1)},
	} {
		data, err := json.Marshal(state.state)
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct {
			name      string
			marshal   func(any) ([]byte, error)
			unmarshal func([]byte, any) error
		}{
			{"encoding-json", json.Marshal, json.Unmarshal},
			{"fastjson", func(v any) ([]byte, error) { return Codec.MarshalWithin(v, maxDepth) }, Codec.Unmarshal},
		} {
			b.Run(state.name+"/encode/"+c.name, func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := c.marshal(state.state); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(state.name+"/decode/"+c.name, func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					if err := c.unmarshal(data, reflect.New(reflect.TypeOf(state.state)).Interface()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

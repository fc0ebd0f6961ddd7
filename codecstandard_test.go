package checkpoint_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

type inner struct{ A, B int }

// document has a field for each rule in which versions of encoding/json differ.
type document struct {
	Name  string         `json:"name"`
	Items []inner        `json:"items,omitempty"`
	By    map[string]int `json:"by"`
	Sub   inner
	Any   any
	Raw   json.RawMessage
	Bytes []byte
	Array [2]byte
	Time  time.Time
	Wait  time.Duration
	Quote int      `json:",string"`
	Ptr   *float64 `json:",omitempty"`
	None  []string
}

// TestAsEncodingJSON: whichever version of encoding/json the toolchain has, a store
// writes the bytes that it writes, and reads what it reads, into fresh variables and
// into others.
func TestAsEncodingJSON(t *testing.T) {
	t.Parallel()
	number := 1e21
	for _, state := range []any{
		nil, document{}, &document{Name: "<a&b>\u2028\x00é😀", Items: []inner{{1, 2}}, By: map[string]int{"b": 1, "a": 2}, Any: map[string]any{"z": nil, "a": []any{1.5, "x"}},
			Raw: json.RawMessage(`{ "b" : 1e400, "b":"\ud800" }`), Bytes: []byte{1}, Time: time.Unix(1, 5).UTC(), Wait: time.Second, Quote: 3, Ptr: &number},
		map[string]any(nil), []int(nil), map[int]string{2: "a", 10: "b"}, json.Number("1e400"), []float64{0, 1e-7, 1e20, 1e21, 0.1}, []float32{1.1, 1e-7},
	} {
		var want bytes.Buffer
		e := json.NewEncoder(&want)
		e.SetEscapeHTML(false)
		if err := e.Encode(state); err != nil {
			t.Fatal(err)
		}
		s := newStore(t)
		if _, err := s.Save(t.Context(), "t", state); err != nil {
			t.Fatal(err)
		}
		got, _, err := checkpoint.Get[json.RawMessage](t.Context(), s, "t")
		if err != nil || string(got)+"\n" != want.String() {
			t.Errorf("saved %s, %v, want %s", got, err, want.String())
		}
	}
	f := newFake()
	s := checkpoint.New(f)
	if _, err := s.Save(t.Context(), "t", nil); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{"NAME":"folded","by":{"a":1},"by":{"b":2},"Sub":{"a":1},"SUB":{"B":2},"unknown":[1]}`, `{"name":null,"items":[{"A":1},{"A":2}],"items":[{"B":3}]}`,
		`{"Any":{"a":1,"a":2},"Raw": [1, 2] ,"Bytes":"AQI=","Array":[1],"Time":"2026-01-02T15:04:05Z","Wait":5,"Quote":"7"}`, "{\"name\":\"\xff\",\"\xff\":1}", `{"name":"\ud800"}`,
		`{"Array":[1,2,3]}`, `{"Bytes":"A\nQI="}`, `{"Quote":7}`, `{"Sub":1,"name":"after"}`, `{"name":"x","by":{"a":1}`, `{"name":"x"} 1`, `[1]`, `null`, ``, `{"Ptr":1e400}`, `{"Sub":{"A":1.0}}`,
	} {
		f.onLoad = func(cp *driver.Checkpoint) error { cp.Payload = []byte(text); return nil }
		for _, fresh := range []func() any{
			func() any { return new(document) },
			func() any { return new(any) },
			func() any { return new(map[string]json.RawMessage) },
			func() any {
				return &document{Name: "kept", Items: make([]inner, 1, 9), By: map[string]int{"kept": 1}, Any: new(inner), Array: [2]byte{8, 9}}
			},
		} {
			got, want := fresh(), fresh()
			_, gotErr := s.Load(t.Context(), "t", got)
			wantErr := json.Unmarshal([]byte(text), want)
			if (gotErr == nil) != (wantErr == nil) || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: loaded %+v, %v\nwant %+v, %v", text, got, gotErr, want, wantErr)
			}
		}
	}
}

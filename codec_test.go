package checkpoint_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

type gobCodec struct{ name string }

func (c gobCodec) Name() string { return c.name }
func (gobCodec) Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}
func (gobCodec) Unmarshal(data []byte, v any) error {
	return gob.NewDecoder(bytes.NewReader(data)).Decode(v)
}

type secretMarshaler struct{}

func (secretMarshaler) MarshalJSON() ([]byte, error) { return nil, errors.New("state: hunter2") }

type secretTarget struct{}

func (*secretTarget) UnmarshalJSON(b []byte) error { return errors.New("state: " + string(b)) }

// nested returns JSON that nests n levels deep.
func nested(n int) json.RawMessage {
	return json.RawMessage(strings.Repeat("[", n) + strings.Repeat("]", n))
}

func TestSaveRefusesWhatCannotComeBack(t *testing.T) {
	t.Parallel()
	type cyclic struct{ Next *cyclic }
	loop := new(cyclic)
	loop.Next = loop
	for name, tt := range map[string]struct {
		state any
		want  string
	}{
		"channel":              {make(chan int), "json cannot encode the type chan int"},
		"function in a struct": {struct{ F func() }{func() {}}, "json cannot encode the type func()"},
		"not a number":         {math.NaN(), "not a finite number, or a cycle of pointers"},
		"cycle":                {loop, "not a finite number, or a cycle of pointers"},
		"failing marshaler":    {secretMarshaler{}, "the marshaler of checkpoint_test.secretMarshaler failed"},
		"raw JSON broken":      {json.RawMessage(`{"hunter2"`), fmt.Sprintf("the marshaler of %v failed", reflect.TypeFor[json.RawMessage]())},
		"string not UTF-8":     {"\xff", "it holds a string that is not UTF-8"},
		"key not UTF-8":        {map[string]int{"\xc3": 1}, "it holds a string that is not UTF-8"},
		"field not UTF-8":      {&struct{ A []any }{[]any{1, "a\xed\xa0\x80"}}, "it holds a string that is not UTF-8"},
		"raw JSON not UTF-8":   {json.RawMessage("\"\xff\""), "it holds text that is not UTF-8"},
		"raw JSON in a field":  {struct{ R json.RawMessage }{json.RawMessage("\"\xff\"")}, "that is not UTF-8"},
		"too deep":             {nested(1001), "it nests deeper than 1000 levels"},
		"nil *Bytes":           {(*checkpoint.Bytes)(nil), "it is a nil *checkpoint.Bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			_, err := s.Save(t.Context(), "thread", tt.state)
			if !errors.Is(err, checkpoint.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Save = %v, want ErrInvalid with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the state: %v", err)
			}
			if _, err := s.Stat(t.Context(), "thread"); !errors.Is(err, checkpoint.ErrNotFound) {
				t.Errorf("Stat = %v, want ErrNotFound: nothing was saved", err)
			}
		})
	}
}

// TestSaveTakesWhatLooksBad: the escape that encoding/json writes for bad UTF-8
// is no reason to refuse JSON that holds it.
func TestSaveTakesWhatLooksBad(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]any{
		"escaped U+FFFD in raw JSON":  json.RawMessage(`{"a":"\ufffd","b":"\ud800"}`),
		"escape of U+FFFD, capitals":  json.RawMessage(`"\uFFFd"`),
		"U+FFFD itself":               "\ufffd",
		"backslashes before the text": `\\ufffd`,
		"raw JSON beside text":        []any{"text", json.RawMessage(`"\ufffd"`), []byte{0xff}, [2]byte{0xff, 1}},
		"1,000 levels":                nested(1000),
		"brackets in strings":         strings.Repeat("[{", 2000),
		"many objects side by side":   json.RawMessage("[" + strings.Repeat(`{"a":"\"["},`, 1500) + "1]"),
		"nil":                         nil,
		"empty raw JSON object":       json.RawMessage("{}"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := newStore(t).Save(t.Context(), "thread", state); err != nil {
				t.Errorf("Save = %v, want no error", err)
			}
		})
	}
}

func TestJSONKeepsHTMLReadable(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	info, err := s.Save(t.Context(), "thread", "<a&b>")
	if err != nil || info.Size != len(`"<a&b>"`) || info.Encoding != "json" {
		t.Errorf("Save = %+v, %v, want 7 bytes of json", info, err)
	}
}

func TestLoadTargets(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ctx := t.Context()
	if _, err := s.Save(ctx, "json", map[string]any{"n": 300, "text": "hunter2"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(ctx, "bytes", checkpoint.Bytes("hunter2")); err != nil {
		t.Fatal(err)
	}
	var (
		small  struct{ N int8 }
		list   []int
		number int
		raw    checkpoint.Bytes
	)
	for name, tt := range map[string]struct {
		thread string
		target any
		is     error
		want   string
	}{
		"nil":               {"json", nil, checkpoint.ErrInvalid, `checkpoint: load "json" (memory): invalid target: Load needs a non-nil pointer, not nil`},
		"no pointer":        {"json", list, checkpoint.ErrInvalid, `checkpoint: load "json" (memory): invalid target: Load needs a non-nil pointer, not []int`},
		"nil pointer":       {"json", (*int)(nil), checkpoint.ErrInvalid, `checkpoint: load "json" (memory): invalid target: Load needs a non-nil pointer, not a nil *int`},
		"wrong type":        {"json", &list, checkpoint.ErrCorrupt, `checkpoint: load "json" (memory): version 1: stored state is damaged or does not fit: a JSON object does not fit the Go type []int of the target *[]int`},
		"number too large":  {"json", &small, checkpoint.ErrCorrupt, `checkpoint: load "json" (memory): version 1: stored state is damaged or does not fit: a JSON number does not fit the Go type int8 of the target *struct { N int8 }`},
		"its own decoder":   {"json", new(secretTarget), checkpoint.ErrCorrupt, `checkpoint: load "json" (memory): version 1: stored state is damaged or does not fit: the JSON does not fit the target *checkpoint_test.secretTarget`},
		"bytes from json":   {"json", &raw, checkpoint.ErrCorrupt, `checkpoint: load "json" (memory): version 1: stored state is damaged or does not fit: it was saved as json, not as checkpoint.Bytes`},
		"struct from bytes": {"bytes", &number, checkpoint.ErrCorrupt, `checkpoint: load "bytes" (memory): version 1: stored state is damaged or does not fit: it was saved as checkpoint.Bytes and is loaded into a *checkpoint.Bytes, not a *int`},
	} {
		t.Run(name, func(t *testing.T) {
			info, err := s.Load(ctx, tt.thread, tt.target)
			if !errors.Is(err, tt.is) || err.Error() != tt.want {
				t.Fatalf("Load = %v\nwant %s", err, tt.want)
			}
			if errors.Is(err, checkpoint.ErrCorrupt) && info.Version != 1 {
				t.Errorf("Load = %+v, want the Info of version 1 with the error", info)
			}
			if again, err := s.Stat(ctx, tt.thread); err != nil || again.Version != 1 {
				t.Errorf("Stat afterwards = %+v, %v, want version 1", again, err)
			}
		})
	}
}

func TestBytesTargets(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	for _, want := range []checkpoint.Bytes{{}, {0, 1, 0xff}, checkpoint.Bytes(`{"looks": "like JSON"}`), nil} {
		if _, err := s.Save(t.Context(), "thread", want); err != nil {
			t.Fatal(err)
		}
		var named checkpoint.Bytes
		var plain []byte
		var free any
		for _, target := range []any{&named, &plain, &free} {
			if _, err := s.Load(t.Context(), "thread", target); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(named, want) || !bytes.Equal(plain, want) || !bytes.Equal(free.(checkpoint.Bytes), want) {
			t.Errorf("Load = %q, %q, %q, want %q", named, plain, free, want)
		}
	}
}

func TestCodec(t *testing.T) {
	t.Parallel()
	backend := memory.New()
	withGob := checkpoint.New(backend, checkpoint.WithCodec(gobCodec{name: "gob"}))
	plain := checkpoint.New(backend)
	want := map[string]int{"a": 1}
	info, err := withGob.Save(t.Context(), "thread", want)
	if err != nil || info.Encoding != "gob" {
		t.Fatalf("Save = %+v, %v, want the encoding gob", info, err)
	}
	got, _, err := checkpoint.Get[map[string]int](t.Context(), withGob, "thread")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Get = %v, %v, want %v", got, err, want)
	}
	if _, _, err = checkpoint.Get[any](t.Context(), plain, "thread"); !errors.Is(err, checkpoint.ErrCorrupt) || !strings.Contains(err.Error(), `the codec "gob"; open the store with WithCodec`) {
		t.Errorf("Get without the codec = %v, want ErrCorrupt that names it", err)
	}
	if _, _, err := checkpoint.Get[chan int](t.Context(), withGob, "thread"); !errors.Is(err, checkpoint.ErrCorrupt) {
		t.Errorf("Get of another type = %v, want ErrCorrupt", err)
	}
	if _, err := plain.Save(t.Context(), "json", want); err != nil {
		t.Fatal(err)
	}
	if got, _, err := checkpoint.Get[map[string]int](t.Context(), withGob, "json"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Get of JSON through a store with another codec = %v, %v, want %v", got, err, want)
	}
}

func TestDamagedJSON(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := checkpoint.New(f)
	if _, err := s.Save(t.Context(), "thread", "hunter2"); err != nil {
		t.Fatal(err)
	}
	for _, damaged := range []string{"", `"hunter2`, `{"a" "b"}`, "hunter2"} {
		f.onLoad = func(cp *driver.Checkpoint) error { cp.Payload = []byte(damaged); return nil }
		var got any
		_, err := s.Load(context.Background(), "thread", &got)
		if !errors.Is(err, checkpoint.ErrCorrupt) || strings.Contains(err.Error(), "hunter2") || got != nil {
			t.Errorf("Load of %q = %v, %v, want ErrCorrupt that does not show it", damaged, got, err)
		}
	}
}

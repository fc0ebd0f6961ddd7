package fastjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/internal/jsonvalue"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

type tree struct {
	Name     string
	Children []tree          `json:"children,omitempty"`
	Left     *tree           `json:"left"`
	By       map[string]tree `json:"by,omitempty"`
}

type scalars struct {
	B   bool
	I8  int8
	I   int
	I64 int64
	U8  uint8
	U   uint64
	F32 float32
	F   float64
	S   string
	P   *int
	X   []byte
	A   [2]int
	L   []string
	M   map[string]int
	Any any
	Raw json.RawMessage
	N   json.Number
	T   time.Time
	Z   int `json:"z,omitzero"`
	E   any `json:"e,omitempty"`
	Sub struct {
		A, B int
	}
}

// targets are what every text is decoded into.
var targets = []reflect.Type{
	reflect.TypeFor[any](),
	reflect.TypeFor[map[string]any](),
	reflect.TypeFor[[]any](),
	reflect.TypeFor[string](),
	reflect.TypeFor[int64](),
	reflect.TypeFor[float64](),
	reflect.TypeFor[json.RawMessage](),
	reflect.TypeFor[tree](),
	reflect.TypeFor[*tree](),
	reflect.TypeFor[scalars](),
	reflect.TypeFor[[]scalars](),
	reflect.TypeFor[map[string]scalars](),
	reflect.TypeFor[map[string][]string](),
	reflect.TypeFor[[1][2]string](),
	reflect.TypeFor[agentstate.State](),
}

var seeds = []string{
	`null`, `{}`, `[]`, `""`, `0`, `-0`, `-0.0`, `1e400`, `1e-400`, `01`, `1.`, `.5`, `+1`, `1e`, `0x1`, `NaN`, `9007199254740993`, `18446744073709551615`, `18446744073709551616`,
	`9223372036854775807`, `9223372036854775808`, `-9223372036854775809`, `1.0`, `1e2`, `0.1000000000000000055511151231257827`,
	`{"a":1,"a":2}`, `{"Sub":{"A":1},"Sub":{"B":2}}`, `{"M":{"a":1},"M":{"b":2}}`, `{"L":["a","b"],"L":["c"]}`, `{"by":{"a":{"Name":"x"},"a":{"left":null}}}`,
	`{"name":"folded"}`, `{"NAME":1}`, `{"b":true,"B":false}`, `{"i8":300}`, `{"u8":-1}`, `{"F32":1e39}`, `{"S":1}`, `{"P":null}`, `{"P":3}`, `{"X":"AQI="}`, `{"X":"AQI"}`, `{"X":"A\nQI="}`,
	`{"X":"00="}`, `{"X":"AAAA00="}`, `{"X":"00\u003d"}`, `{"X":"0\u0030="}`, `{"X":"00\n="}`, `{"S":"x=","X":"00=="}`, `{"S":"a\"00=","X":"00="}`, `{"M":{"00=":1},"X":"00="}`,
	`{"A":[1]}`, `{"A":[1,2,3]}`, `{"A":[0,0,]}`, "{\"A\":[0,0,\n]}", `{"A":[0,0,1,]}`, `{"A":[0,0],"S":",]"}`, `[["a","b",]]`, `[["a","b"],]`, `[["a",]]`, `[["a","b","\ud8=0x"]]`, `{"Any":{"deep":[1,{"x":null}]}}`, `{"Raw": [1 , 2] }`, `{"N":1e400}`, `{"N":"12"}`, `{"N":"x"}`, `{"T":"2026-01-02T15:04:05Z"}`, `{"T":"x"}`,
	`"\u0000\u001f\ud83d\ude00\ud800\udc00x"`, `"\ud800"`, `"\ud800\u0041"`, `"\udc00"`, "\"\xff\"", "{\"\xff\":1}", "\"\x01\"", "\"\t\"", `"\x"`, `"\u12"`, `"\ud8=0x"`, `["\ud8=0x"]`, `{"Raw":"\ud8=0x"}`, `{"unknown":"\ud8=0x"}`, `{"unknown":{"deep":["0000000000000000000","\0"]}}`, `{"Raw":"\0"}`, `{"unknown":"\`, `{"unknown":"\u00`, "{\"unknown\":\"\\u00\x10\x10\"}", `{"S":"\\u","unknown":"\\\/\b\f\n\r\t\u00Aa"}`, `"unterminated`, `"\`,
	`{"a":tru}`, `{"unknown":tru}`, `{"unknown":[1,}`, `{"unknown":01}`, "{\"unknown\":\"\x01\"}", `{"a":1}x`, `{"a":1} {}`, `{"a" 1}`, `{"a":1,}`, `[1,]`, `[,1]`, `{,}`, ` 1 `, "\ufeff1", "\v1", `{"children":[{"children":[{}]}]}`,
	`[{"I":1},{"I":2}]`, `{"a":["x"],"b":[]}`, `{"a":null}`, `[null]`, `{"Sub":[]}`, `{"Children":{}}`, `truefalse`, `nul`, `-`, `[1 2]`, `{"a":{"b":{}}`, ``, ` `,
}

// repeats reports whether an object of the text has two names that are equal but for
// upper and lower case. What is merged then is documented as a difference.
func repeats(text []byte) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	type level struct {
		names map[string]bool // nil in an array
		value bool            // the next token is a value
	}
	var levels []level
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		switch token {
		case json.Delim('}'), json.Delim(']'):
			levels = levels[:len(levels)-1]
			continue
		}
		if n := len(levels) - 1; n >= 0 && levels[n].names != nil {
			if name, ok := token.(string); ok && !levels[n].value {
				name = strings.ToLower(name)
				if levels[n].names[name] {
					return true
				}
				levels[n].names[name], levels[n].value = true, true
				continue
			}
			levels[n].value = false
		}
		switch token {
		case json.Delim('{'):
			levels = append(levels, level{names: make(map[string]bool)})
		case json.Delim('['):
			levels = append(levels, level{})
		}
	}
}

// FuzzUnmarshal: the codec decodes a text exactly if encoding/json does, to the same
// value.
func FuzzUnmarshal(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
		f.Add([]byte(seed + strings.Repeat(" ", 64))) // sonic looks at 32 bytes at once where there are so many
	}
	f.Add(agentstate.JSON(2<<10, 1))
	f.Fuzz(func(t *testing.T, text []byte) {
		merged := repeats(text)
		for _, target := range targets {
			got, want := reflect.New(target), reflect.New(target)
			gotErr, wantErr := Codec.Unmarshal(bytes.Clone(text), got.Interface()), json.Unmarshal(text, want.Interface())
			if (gotErr == nil) != (wantErr == nil) {
				t.Errorf("%v from %q: %v, want %v", target, text, gotErr, wantErr)
			} else if !merged && !reflect.DeepEqual(got.Interface(), want.Interface()) {
				t.Errorf("%v from %q: %+v, want %+v", target, text, got.Elem(), want.Elem())
			}
		}
	})
}

// values are states of many shapes; those that encoding/json refuses among them.
func values() map[string]any {
	type loop struct{ Next *loop }
	ring := new(loop)
	ring.Next = ring
	snake := map[string]any{}
	snake["tail"] = snake
	n := 7
	full := scalars{B: true, I8: -8, I: 1 << 40, U8: 255, U: 1<<64 - 1, F32: 1.1, F: 1e21, S: "<a&b>\u2028\x00\"\\", P: &n, X: []byte{0, 255}, A: [2]int{1, 2}, L: []string{},
		M: map[string]int{"z": 1, "a": 2, "é": 3}, Any: map[string]any{"x": []any{nil, 1.5, "s", true}}, Raw: json.RawMessage(`{ "a" : 1 }`), N: "1e400", T: time.Unix(1, 5).UTC(), Z: 1}
	return map[string]any{
		"nil": nil, "full": full, "pointer": &full, "zero": scalars{}, "nil pointer": (*scalars)(nil), "nil map": map[string]int(nil), "nil slice": []int(nil),
		"tree": tree{Name: "a", Children: []tree{{}}, Left: &tree{}, By: map[string]tree{"x": {}}}, "state": agentstate.New(20<<10, 1), "recording": agentstate.Recording(1),
		"floats":            []float64{0, math.Copysign(0, -1), 1e20, 1e21, 1e-6, 1e-7, 1e300, math.SmallestNonzeroFloat64, math.MaxFloat64, 0.1, 100},
		"floats of 32 bits": []float32{0, 1e20, 1e21, 1e-6, 1e-7, 1.1, math.MaxFloat32, math.SmallestNonzeroFloat32, 16777216},
		"not a number":      math.NaN(), "infinite": []any{math.Inf(-1)}, "channel": make(chan int), "function": struct{ F func() }{func() {}}, "ring": ring, "snake": snake,
		"bad text": "a\xff", "bad key": map[string]int{"\xff": 1}, "bad raw": json.RawMessage(`{"a"`), "bad text in raw": json.RawMessage("\"\xff\""), "bad number": json.Number("x"),
		"deep": json.RawMessage(strings.Repeat("[", 1001) + strings.Repeat("]", 1001)), "just deep enough": json.RawMessage(strings.Repeat("[", 1000) + strings.Repeat("]", 1000)),
		"keys of numbers": map[int]string{2: "b", 10: "a"}, "text keys": map[time.Time]int{time.Unix(1, 0).UTC(): 1}, "quoted": struct {
			A int `json:",string"`
		}{1}, "embedded": struct{ tree }{tree{Name: "x"}}, "own marshaler": []any{shout("a"), new(shout), &[]shout{"b"}[0]}, "failing marshaler": failing{}, "text marshaler": net.IPv4(1, 2, 3, 4),
		"interface": []fmt.Stringer{time.Second, nil, net.IPv4zero}, "marshaler of a pointer only": struct{ A, B any }{lazy{1}, &lazy{2}}, "addressable": []lazy{{3}}, "bytes by name": []octet{1, 2},
		"embedded pointer": struct {
			*tree
			Name int
		}{nil, 1}, "shadowed": struct {
			tree
			scalars
		}{}, "same but for case": struct {
			A int `json:"a"`
			B int `json:"A"`
		}{1, 2}, "odd names": struct {
			A int `json:"é"`
			B int `json:"a b"`
			C int `json:"<c>"`
			D int `json:"-,"`
			E int `json:"\"quoted\\"`
		}{1, 2, 3, 4, 5}, "omitted": struct {
			A time.Time `json:",omitzero"`
			B [0]int    `json:",omitempty"`
			C *int      `json:",omitempty"`
			D struct{}  `json:",omitempty"`
			E lazy      `json:",omitzero"`
		}{}, "quoted all": struct {
			A bool    `json:",string"`
			B float64 `json:",string"`
			C string  `json:",string"`
			D *int    `json:",string"`
		}{true, 1.5, "x", nil},
		"replacement itself": "\ufffd", "surrogate in raw": json.RawMessage(`"\ud800"`), "escapes": "\b\f\n\r\t\x1f\x7f\u2028\u2029😀",
	}
}

type shout string

func (s shout) MarshalJSON() ([]byte, error) { return json.Marshal(strings.ToUpper(string(s))) }

type octet byte

type lazy struct{ n int }

func (l *lazy) MarshalJSON() ([]byte, error) { return json.Marshal(l.n) }

type failing struct{}

func (failing) MarshalJSON() ([]byte, error) { return nil, errors.New("hunter2") }

// TestMarshal: what the codec writes says what encoding/json's says, name for name and
// number for number, and refuses what a store refuses.
func TestMarshal(t *testing.T) {
	t.Parallel()
	all := values()
	for name, v := range values() {
		if name != "just deep enough" {
			all[name+" in an any"] = []any{v, &v}
		}
	}
	for name, v := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Codec.MarshalWithin(v, 1000)
			want, wantErr := standard(t, v)
			if err == nil && wantErr != nil {
				t.Fatalf("%s, want the error %v", got, wantErr)
			}
			s := checkpoint.New(memory.New(), checkpoint.WithCodec(Codec))
			plain := checkpoint.New(memory.New())
			_, gotErr := s.Save(t.Context(), "t", v)
			_, plainErr := plain.Save(t.Context(), "t", v)
			if fmt.Sprint(gotErr) != fmt.Sprint(plainErr) {
				t.Errorf("Save = %v, want %v", gotErr, plainErr)
			}
			if err != nil {
				return
			}
			canonical, err := jsonvalue.Canonical(got)
			if err != nil {
				t.Fatalf("%q: %v", got, err)
			}
			if wantCanonical, err := jsonvalue.Canonical([]byte(want)); err != nil || canonical != wantCanonical {
				t.Errorf("got  %s\nwant %s, %v", got, want, err)
			}
		})
	}
}

// FuzzMarshal: what one has decoded the other encodes to the same value.
func FuzzMarshal(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Add(agentstate.JSON(2<<10, 1))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, target := range targets {
			v := reflect.New(target)
			if json.Unmarshal(text, v.Interface()) != nil {
				continue
			}
			want, wantErr := standard(t, v.Interface())
			got, err := Codec.MarshalWithin(v.Interface(), 1000)
			if err != nil {
				continue // encoding/json decides
			}
			if wantErr != nil {
				t.Errorf("%v from %q: %s, want %v", target, text, got, wantErr)
				continue
			}
			a, errA := jsonvalue.Canonical(got)
			b, errB := jsonvalue.Canonical([]byte(want))
			if errA != nil || errB != nil || a != b {
				t.Errorf("%v from %q: %s, want %s (%v, %v)", target, text, got, want, errA, errB)
			}
		}
	})
}

func standard(t testing.TB, v any) (string, error) {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

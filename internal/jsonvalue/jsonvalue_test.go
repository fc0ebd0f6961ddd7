package jsonvalue_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/jsonvalue"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{` { "b" : [ 1 , 2 ] , "a" : { } } `, `{"a":{},"b":[1e0,2e0]}`},
		{`{"a":1,"a":2}`, `{"a":2e0}`},
		{`[]`, `[]`}, {`[[],{}]`, `[[],{}]`}, {`null`, `null`}, {` true `, `true`}, {`[false]`, `[false]`},
		{`0`, `0`}, {`-0`, `0`}, {`-0.0e9`, `0`}, {`100`, `1e2`}, {`1E2`, `1e2`}, {`1.00e+2`, `1e2`}, {`0.01`, `1e-2`}, {`-10.50`, `-105e-1`},
		{`1e131073`, `1e131073`}, {`1e-20000`, `1e-20000`}, {`0.1e99999999999999999999`, `1e99999999999999999998`},
		{`9007199254740993`, `9007199254740993e0`},
		{`"a\"\\\/b"`, `"a\"\\/b"`}, {`"\b\f\n\r\t"`, "\"\b\f\n\r\t\""}, {`"\u0041\u00e9"`, `"Aé"`}, {`"\u0000"`, "\"\x00\""},
		{`"\ud83d\ude00"`, `"😀"`}, {`"\ud800"`, `"\ud800"`}, {`"\udc00\ud800"`, `"\udc00\ud800"`}, {`"\ud83d\ud83d\ude00"`, `"\ud83d😀"`}, {`"\\ud800"`, `"\\ud800"`},
		{`{"\u0062":1,"a":2}`, `{"a":2e0,"b":1e0}`},
	} {
		got, err := jsonvalue.Canonical([]byte(test.text))
		if err != nil || got != test.want {
			t.Errorf("Canonical(%s) = %s, %v, want %s", test.text, got, err, test.want)
		}
	}
	for _, text := range []string{"", "{", "[1,]", "nul", "01", "\"\xff\"", "1 2"} {
		if got, err := jsonvalue.Canonical([]byte(text)); err == nil {
			t.Errorf("Canonical(%q) = %s, want an error", text, got)
		}
	}
}

// FuzzCanonical holds the parser, which trusts that its text is valid, against
// encoding/json: it must not panic, and spellings that differ must hold values
// that differ, as far as encoding/json can tell.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"\u0041\ud800",null,true]}`, `"\ud83d\ude00"`, strings.Repeat("[", 50) + strings.Repeat("]", 50)} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		ca, errA := jsonvalue.Canonical([]byte(a))
		cb, errB := jsonvalue.Canonical([]byte(b))
		if errA != nil || errB != nil {
			return
		}
		var va, vb any
		if json.Unmarshal([]byte(a), &va) != nil || json.Unmarshal([]byte(b), &vb) != nil {
			return // a number beyond float64
		}
		if ca == cb && !reflect.DeepEqual(va, vb) {
			t.Errorf("%q and %q hold different values and are both spelled %q", a, b, ca)
		}
	})
}

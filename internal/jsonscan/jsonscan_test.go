package jsonscan

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// depth is how deep JSON nests by the tokens of encoding/json.
func depth(t testing.TB, data []byte) int {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	level, deepest := 0, 0
	for {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			level++
			deepest = max(deepest, level)
		case json.Delim(']'), json.Delim('}'):
			level--
		}
	}
}

// replaced is what Text reports, byte by byte.
func replaced(data []byte) bool {
	return bytes.Contains(data, []byte("\uFFFD")) || bytes.Contains(data, escape)
}

var texts = []string{
	"", "1", `""`, `"\""`, `"\\"`, `["\\\"[",{"a":"]"}]`, `{"a":{"b":[]},"c":"[[[["}`, `"` + strings.Repeat("x", 40) + `\"[["`,
	`["a","b",["c"]]`, `{"a":"b","c":["d"]}`, `"\ufffd"`, `"\uFFFd"`, `"` + strings.Repeat("x", 29) + `\ufffd` + strings.Repeat("x", 29) + `"`, strings.Repeat("buffer off ", 9), `"1234\ufffd"`, `"fffd"`, `"off \u00ff fffd"`, "\"\uFFFD\"", "\"é\"", "\"\xff\"",
	`"` + strings.Repeat(`\\`, 20) + `"`, `"` + strings.Repeat("[", 50) + `"`, strings.Repeat("[", 30) + strings.Repeat("]", 30),
}

// FuzzScan: the quick look says what the slow one says, wherever in the words of eight
// bytes a text begins.
func FuzzScan(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if json.Valid(data) {
			if got, want := nesting(data), depth(t, data); got != want {
				t.Errorf("nesting(%q) = %d, want %d", data, got, want)
			}
		}
		for pad := range 33 {
			padded := append(bytes.Repeat([]byte{' '}, pad), data...)
			if valid, got := Text(padded); valid != utf8.Valid(data) || valid && got != replaced(data) {
				t.Errorf("Text(%q) = %v, %v, want %v, %v", padded, valid, got, utf8.Valid(data), replaced(data))
			}
		}
	})
}

func TestDeeper(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		data string
		want bool
	}{
		{strings.Repeat("[", 1000) + strings.Repeat("]", 1000), false},
		{strings.Repeat("[", 1001) + strings.Repeat("]", 1001), true},
		{`"` + strings.Repeat("[", 4000) + `"`, false},
		{"[" + strings.Repeat(`{"a":"\"["},`, 1500) + "1]", false},
		{"[" + strings.Repeat(`{"a":"\"["},`, 1500) + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "]", true},
	} {
		if got := Deeper([]byte(tt.data), 1000); got != tt.want {
			t.Errorf("Deeper(%.40s… of %d bytes) = %v, want %v", tt.data, len(tt.data), got, tt.want)
		}
	}
}

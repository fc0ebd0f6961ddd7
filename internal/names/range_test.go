package names_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-ckpt/checkpoint/internal/names"
)

// TestRangeAgainstDefinition compares the bounds with what Prefix and After
// mean, over random byte strings made of pieces that sit on the edges.
func TestRangeAgainstDefinition(t *testing.T) {
	pieces := []string{
		"a", "b", "\x01", "\x7f", "\u0080", "é", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff", "%", "*",
		"\x00", "\xff", "\xc3", "\xa9", "\xed\xa0", "\xf4\x90", "\xf4", "\xe0", "\xf0\x9f",
	}
	random := func(n int, valid bool) string {
		for {
			var b strings.Builder
			for range rand.IntN(n + 1) {
				b.WriteString(pieces[rand.IntN(len(pieces))])
			}
			if s := b.String(); !valid || s != "" && utf8.ValidString(s) && !strings.Contains(s, "\x00") {
				return s
			}
		}
	}
	for range 200_000 {
		prefix, after, name := random(2, false), random(3, false), random(3, true)
		if rand.IntN(2) == 0 {
			name = prefix + name
			if !utf8.ValidString(name) || strings.Contains(name, "\x00") {
				continue
			}
		}
		low, high, ok := names.Range(prefix, after)
		got := ok && low <= name && (high == "" || name < high)
		want := strings.HasPrefix(name, prefix) && name > after
		if got != want {
			t.Fatalf("Range(%q, %q) = %q, %q, %v: holds %q = %v, want %v", prefix, after, low, high, ok, name, got, want)
		}
		if !utf8.ValidString(low+high) || strings.Contains(low+high, "\x00") {
			t.Fatalf("Range(%q, %q) = %q, %q: not UTF-8 without NUL", prefix, after, low, high)
		}
	}
}

// TestRangeOfLongBounds: what is longer than any name is cut, and bounds as
// before.
func TestRangeOfLongBounds(t *testing.T) {
	for _, piece := range []string{"a", "é", "\U0001f916", "\xff"} {
		long := strings.Repeat(piece, 5000)
		for _, name := range []string{"a", strings.Repeat("a", 512), strings.Repeat("é", 256), strings.Repeat("\U0001f916", 128), "b"} {
			for _, bounds := range [][2]string{{long, ""}, {"", long}} {
				low, high, ok := names.Range(bounds[0], bounds[1])
				got := ok && low <= name && (high == "" || name < high)
				if want := strings.HasPrefix(name, bounds[0]) && name > bounds[1]; got != want || len(low) > 520 || len(high) > 520 {
					t.Errorf("Range(%.8q…, %.8q…) = %d and %d bytes, %v: holds %.8q… = %v, want %v", bounds[0], bounds[1], len(low), len(high), ok, name, got, want)
				}
			}
		}
	}
}

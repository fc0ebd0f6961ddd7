package delta

import (
	"bytes"
	"testing"
)

// TestSums continues the digest of one state for another, at and around the places
// where marks are.
func TestSums(t *testing.T) {
	t.Parallel()
	base := random(4*markEvery + 100)
	sum := SumOf(Sum{}, nil, base)
	if n := len(sum.marks); n != 4 {
		t.Fatalf("%d marks in a state of %d bytes, want 4", n, len(base))
	}
	states := map[string][]byte{
		"itself": base, "nothing": nil, "longer": append(bytes.Clone(base), random(3*markEvery)...),
	}
	for name, at := range map[string]int{
		"the first byte": 0, "before a mark": markEvery - 1, "at a mark": markEvery, "behind a mark": markEvery + 1,
		"before the last mark": 4*markEvery - 1, "the last byte": len(base) - 1,
	} {
		changed := bytes.Clone(base)
		changed[at] ^= 1
		states["changed at "+name], states["cut at "+name] = changed, base[:at]
	}
	for name, state := range states {
		next := SumOf(sum, base, state)
		if next.Digest() != digest(state) || len(next.marks) != len(state)/markEvery {
			t.Errorf("%s: the digest or the %d marks of the Sum are wrong", name, len(next.marks))
		}
		if again := SumOf(next, state, base); again.Digest() != digest(base) {
			t.Errorf("%s, and back: another digest", name)
		}
		patch, made, ok := Append(nil, base, state, sum, noLimit)
		if !ok || made.Digest() != digest(state) {
			t.Errorf("%s: Append's Sum has another digest", name)
		}
		if got, err := Apply(base, noLimit, patch); err != nil || !bytes.Equal(got, state) {
			t.Errorf("%s: Apply: %d bytes, %v", name, len(got), err)
		}
	}
	if sum.Digest() != digest(base) || SumOf(sum, base, base).Digest() != digest(base) {
		t.Error("a Sum changes where others are continued from it")
	}
}

// TestSumIsContinued counts that what is known is not hashed again.
func TestSumIsContinued(t *testing.T) {
	t.Parallel()
	base := random(4 * markEvery)
	sum := SumOf(Sum{}, nil, base)
	other := bytes.Clone(base)
	other[2*markEvery] ^= 1
	if known := len(sum.Of(base, other).marks); known != 2 {
		t.Errorf("%d marks are good for a state that is changed behind the second, want 2", known)
	}
	if known := len(sum.Of(base, append(bytes.Clone(base), 'x')).marks); known != 4 {
		t.Errorf("%d marks are good for a longer state, want 4", known)
	}
}

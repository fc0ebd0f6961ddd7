package memory

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// TestSortedAgainstSlice compares the set with a sorted slice over random
// insertions and removals, enough of them to split blocks and to empty some.
func TestSortedAgainstSlice(t *testing.T) {
	t.Parallel()
	var x sorted
	var want []string
	for range 20_000 {
		s := strconv.Itoa(rand.IntN(8_000))
		place, found := slices.BinarySearch(want, s)
		switch {
		case !found:
			x.insert(s)
			want = slices.Insert(want, place, s)
		case rand.IntN(3) > 0:
			x.remove(s)
			want = slices.Delete(want, place, place+1)
		}
	}
	if got := slices.Collect(x.from("")); !slices.Equal(got, want) {
		t.Fatalf("from(\"\") yields %d strings, want the %d of the slice in order", len(got), len(want))
	}
	for range 1_000 {
		s := strconv.Itoa(rand.IntN(10_000))
		place, _ := slices.BinarySearch(want, s)
		if got := slices.Collect(x.from(s)); !slices.Equal(got, want[place:]) {
			t.Fatalf("from(%q) yields %d strings, want %d", s, len(got), len(want)-place)
		}
	}
	for _, s := range want {
		x.remove(s)
	}
	x.remove("1")
	if got := slices.Collect(x.from("")); len(got) != 0 || len(x.blocks) != 0 {
		t.Errorf("emptied, the set yields %q and has %d blocks, want none", got, len(x.blocks))
	}
}

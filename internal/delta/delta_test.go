package delta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const noLimit = 1 << 30

func make1(t testing.TB, base, state []byte) []byte {
	t.Helper()
	patch, sum, ok := Append(nil, base, state, Sum{}, noLimit)
	if !ok || sum.Digest() != digest(state) {
		t.Fatal("Append without a limit reports false")
	}
	got, err := Apply(base, noLimit, patch)
	if err != nil || !bytes.Equal(got, state) {
		t.Fatalf("Apply: %d bytes, %v; want the %d bytes of the state", len(got), err, len(state))
	}
	return patch
}

// conversation returns an agent's state of about that many bytes: messages, and a
// counter behind them.
func conversation(size, turns int, more ...string) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	type message struct{ Role, Content string }
	state := struct {
		Turns    int
		Messages []message
		Todo     []string
		Tokens   int
	}{Turns: turns, Tokens: 1000 + turns}
	for n := 0; n < size; {
		var b strings.Builder
		for range 20 + r.IntN(60) {
			fmt.Fprintf(&b, "%x ", r.IntN(1<<16))
		}
		state.Messages = append(state.Messages, message{"assistant", b.String()})
		n += b.Len() + 35
	}
	for _, m := range more {
		state.Messages = append(state.Messages, message{"user", m})
	}
	b, _ := json.Marshal(state)
	return b
}

func TestSizeOfPatches(t *testing.T) {
	t.Parallel()
	base := conversation(259_000, 41)
	message := random(300)
	for i := range message {
		message[i] = 'a' + message[i]%26
	}
	for _, test := range []struct {
		name        string
		base, state []byte
		atMost      int
	}{
		{"nothing changed", base, base, 40},
		{"a message of 300 bytes and two counters", base, conversation(259_000, 42, string(message)), 450},
		{"ten edits", base, edit(base, 10, 20), 10*(20+12) + 40},
		{"the halves exchanged", base, slices.Concat(base[100_001:], base[:100_001]), 80},
		{"everything gone", base, nil, 40},
		{"from nothing", nil, []byte("state"), 40},
		{"half cut away", base, base[len(base)/2:], 40},
		{"a byte before the end", base, slices.Concat(base[:len(base)-3], []byte("x"), base[len(base)-3:]), 40},
	} {
		if got := len(make1(t, test.base, test.state)); got > test.atMost {
			t.Errorf("%s: the patch has %d bytes, want at most %d", test.name, got, test.atMost)
		}
	}
}

// edit replaces n bytes at so many places by others.
func edit(b []byte, places, n int) []byte {
	r := rand.New(rand.NewPCG(3, 4))
	b = bytes.Clone(b)
	for i := range places {
		at := (i*2 + 1) * len(b) / (2 * places)
		for j := range n {
			b[at+j] = byte(r.Uint32())
		}
	}
	return b
}

func random(n int) []byte {
	r := rand.New(rand.NewPCG(5, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestLimit(t *testing.T) {
	t.Parallel()
	base, state := random(10_000), edit(random(10_000), 5, 10)
	size := len(make1(t, base, state))
	dst := []byte("before")
	for _, limit := range []int{0, 1, size / 2, size - 1} {
		if got, _, ok := Append(dst, base, state, Sum{}, limit); ok || string(got) != "before" {
			t.Errorf("Append with a limit of %d of %d bytes: %d bytes, %v, want what was there and false", limit, size, len(got), ok)
		}
	}
	if got, _, ok := Append(dst, base, state, Sum{}, size); !ok || len(got) != len(dst)+size {
		t.Errorf("Append with a limit of its %d bytes: %d bytes, %v, want them after what was there", size, len(got), ok)
	}
	if _, _, ok := Append(nil, random(100_000), random(100_001), Sum{}, 50_000); ok {
		t.Error("Append of two random states within half of one reports true")
	}
}

func TestChain(t *testing.T) {
	t.Parallel()
	states := [][]byte{random(50_000)}
	var patches [][]byte
	for i := range 64 {
		next := edit(states[i], 1+i%7, 30)
		at := (i * 7919) % len(next)
		next = slices.Concat(next[:at], random(100+i), next[at:])
		patches = append(patches, make1(t, states[i], next))
		states = append(states, next)
	}
	for i := range patches {
		got, err := Apply(states[0], noLimit, patches[:i+1]...)
		if err != nil || !bytes.Equal(got, states[i+1]) {
			t.Fatalf("Apply of %d patches: %d bytes, %v; want the state's %d", i+1, len(got), err, len(states[i+1]))
		}
	}
	last := len(patches) - 1
	missing := slices.Delete(slices.Clone(patches), 20, 21)
	swapped := slices.Clone(patches)
	swapped[3], swapped[4] = swapped[4], swapped[3]
	for name, test := range map[string]struct {
		base    []byte
		limit   int
		patches [][]byte
		want    error
	}{
		"a missing patch":   {states[0], noLimit, missing, ErrPatch},
		"two exchanged":     {states[0], noLimit, swapped, ErrPatch},
		"another base":      {random(49_999), noLimit, patches, ErrPatch},
		"a changed base":    {edit(states[0], 100, 1), noLimit, patches, ErrPatch},
		"a patch too many":  {states[0], noLimit, append(slices.Clone(patches), patches[last]), ErrPatch},
		"an empty patch":    {states[0], noLimit, [][]byte{{}}, ErrPatch},
		"more than allowed": {states[0], len(states[64]) - 1, patches, ErrSize},
	} {
		if got, err := Apply(test.base, test.limit, test.patches...); !errors.Is(err, test.want) {
			t.Errorf("Apply with %s: %d bytes, %v, want %v", name, len(got), err, test.want)
		}
	}
}

// TestDamage changes every byte of a patch, and cuts it everywhere: what comes out is
// an error, or the right state.
func TestDamage(t *testing.T) {
	t.Parallel()
	base := conversation(3000, 1)
	state := edit(conversation(3000, 2, "more"), 3, 10)
	patch := make1(t, base, state)
	for i := range patch {
		for _, flip := range []byte{1, 0x80, 0xff} {
			bad := bytes.Clone(patch)
			bad[i] ^= flip
			if got, err := Apply(base, 1<<20, bad); err == nil && !bytes.Equal(got, state) {
				t.Fatalf("byte %d changed by %#x: Apply returns another state and no error", i, flip)
			}
		}
		if _, err := Apply(base, 1<<20, patch[:i]); err == nil {
			t.Fatalf("cut to %d of %d bytes: Apply returns no error", i, len(patch))
		}
	}
}

// TestPiecesDoNotMultiply builds patches each of which repeats the pieces of the
// state before.
func TestPiecesDoNotMultiply(t *testing.T) {
	base := random(256)
	var patches [][]byte
	state := base
	for range 40 {
		var next []byte
		for i := range 64 { // interleaved, so that no piece continues another
			next = append(next, state[(i*37)%len(state)], byte(i))
		}
		next = append(next, bytes.Repeat(state, 2)...)
		next = next[:min(len(next), 1<<16)]
		patches = append(patches, piecewise(state, next))
		state = next
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := Apply(base, 1<<20, patches...)
	runtime.ReadMemStats(&after)
	if err != nil || !bytes.Equal(got, state) {
		t.Fatalf("Apply: %d bytes, %v; want the state's %d", len(got), err, len(state))
	}
	sum := 0
	for _, p := range patches {
		sum += len(p)
	}
	if used, bound := after.TotalAlloc-before.TotalAlloc, uint64(len(patches)*4<<16+64*sum); used > bound {
		t.Errorf("Apply has allocated %d bytes for %d bytes of patches, want at most %d", used, sum, bound)
	}
}

// piecewise returns a patch that copies every byte by itself where the base has it.
func piecewise(base, state []byte) []byte {
	w := writer{limit: noLimit, base: base, state: state}
	sum := digest(state)
	w.patch = append(w.patch, format)
	w.patch = appendSizes(w.patch, base, state)
	w.patch = append(w.patch, sum[:]...)
	for i, c := range state {
		if from := bytes.IndexByte(base, c); from >= 0 {
			w.copy(from, i, 1)
		}
	}
	w.finish()
	return w.patch
}

func FuzzPatch(f *testing.F) {
	f.Add([]byte(""), []byte(""))
	f.Add([]byte("abc"), []byte(""))
	f.Add(conversation(2000, 1), conversation(2000, 2, "hello"))
	f.Add(random(3000), edit(random(3000), 4, 9))
	f.Add(bytes.Repeat([]byte("a"), 5000), bytes.Repeat([]byte("ab"), 2000))
	f.Fuzz(func(t *testing.T, base, state []byte) {
		patch := make1(t, base, state)
		if len(patch) > len(state)+64+len(state)/16 {
			t.Errorf("a patch of %d bytes for a state of %d", len(patch), len(state))
		}
		if tight, _, ok := Append(nil, base, state, SumOf(Sum{}, nil, base), len(patch)); !ok || !bytes.Equal(tight, patch) {
			t.Errorf("a limit of the patch's own %d bytes is not enough", len(patch))
		}
		Apply(state, 1<<20, patch) // whatever it says, it must not panic
	})
}

func FuzzApply(f *testing.F) {
	base := conversation(2000, 1)
	patch, _, _ := Append(nil, base, conversation(2000, 2, "hello"), Sum{}, noLimit)
	f.Add(base, patch, patch)
	f.Add([]byte(""), []byte{format}, []byte{})
	f.Fuzz(func(t *testing.T, base, first, second []byte) {
		const limit = 1 << 20
		// As if the digest were right, so that what lies behind it is reached.
		if h, rest, err := readHeader(first, limit); err == nil && h.base == len(base) {
			var r rope
			if err := whole(base).apply(rest, h.size, &r); err == nil && len(r.bytes()) != h.size {
				t.Errorf("a result of %d bytes, want %d", len(r.bytes()), h.size)
			}
		}
		if state, err := Apply(base, limit, first, second); err == nil && len(state) > limit {
			t.Errorf("a result of %d bytes, want at most %d", len(state), limit)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	base := conversation(2_000_000, 41)
	sum := SumOf(Sum{}, nil, base)
	for name, state := range map[string][]byte{
		"three edits":   edit(base, 3, 40),
		"appended":      append(bytes.Clone(base), random(300)...),
		"message":       conversation(2_000_000, 42, string(random(300))),
		"hundred edits": edit(base, 100, 40),
		"random":        random(len(base)),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(state)))
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				patch, _, _ := Append(nil, base, state, sum, len(state)/2)
				size = len(patch)
			}
			b.ReportMetric(float64(size), "patch-bytes")
		})
	}
}

func BenchmarkDigest(b *testing.B) {
	state := random(2_000_000)
	b.SetBytes(int64(len(state)))
	for b.Loop() {
		digest(state)
	}
}

func BenchmarkApply(b *testing.B) {
	base := conversation(2_000_000, 0)
	var patches [][]byte
	state := base
	for i := range 63 {
		next := edit(state, 3, 40+i)
		next = append(next, random(300+i)...)
		patch, _, _ := Append(nil, state, next, Sum{}, noLimit)
		patches, state = append(patches, patch), next
	}
	b.SetBytes(int64(len(state)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Apply(base, noLimit, patches...); err != nil {
			b.Fatal(err)
		}
	}
}

package jsondiff

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// describe writes changes on a line each, the way the cases below want them.
func describe(changes []Change) string {
	var lines []string
	for _, c := range changes {
		switch c.Op {
		case Add:
			lines = append(lines, fmt.Sprintf("+ %s %s", c.Path, c.New))
		case Remove:
			lines = append(lines, fmt.Sprintf("- %s %s", c.Path, c.Old))
		case Replace:
			path := c.Path
			if c.From != "" {
				path = c.From + " => " + path
			}
			lines = append(lines, fmt.Sprintf("~ %s %s -> %s", path, c.Old, c.New))
		case Move:
			lines = append(lines, fmt.Sprintf("> %s => %s x%d", c.From, c.Path, c.Count))
		}
	}
	return strings.Join(lines, "\n")
}

func TestCompare(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, old, new, want string }{
		{"same", `{"a":1,"b":[1,2]}`, ` { "b": [1, 2], "a": 1 } `, ``},
		{"spellings of one value", `["A",100,1.50,0,"\n"]`, `["\u0041",1e2,1.5,-0.0,"\u000a"]`, ``},
		{"last of two members counts", `{"a":1,"a":2}`, `{"a":2}`, ``},
		{"numbers to the last digit", `9007199254740993`, `9007199254740992`, `~ . 9007199254740993 -> 9007199254740992`},
		{"huge numbers", `[1e400,1e999999999999999999999]`, `[1e400,1e999999999999999999998]`, `~ [1] 1e999999999999999999999 -> 1e999999999999999999998`},
		{"lone surrogates differ", `"\ud800"`, `"\ud801"`, `~ . "\ud800" -> "\ud801"`},
		{"root of another kind", `{}`, `[]`, `~ . {} -> []`},
		{"null is not absent", `{"a":null}`, `{}`, `- .a null`},
		{"members", `{"a":1,"b":2,"c":{"d":true}}`, `{"a":1,"c":{"d":false},"e":[]}`, "- .b 2\n~ .c.d true -> false\n+ .e []"},
		{"names that need quotes", `{"a b":1,"":{"x\n":1}}`, `{"a b":2,"":{"x\n":2},"9":1}`, "~ [\"a b\"] 1 -> 2\n~ [\"\"][\"x\\n\"] 1 -> 2\n+ [\"9\"] 1"},
		{"appended", `[1,2]`, `[1,2,3]`, `+ [2] 3`},
		{"inserted at the head", `[1,2,3]`, `[0,1,2,3]`, `+ [0] 0`},
		{"removed from the head", `[0,1,2,3]`, `[1,2,3]`, `- [0] 0`},
		{"changed behind an insertion", `[{"id":1,"n":1},{"id":2,"n":1}]`, `[{"id":0},{"id":1,"n":1},{"id":2,"n":5}]`, "+ [0] {\"id\":0}\n~ [1].n => [2].n 1 -> 5"},
		{"moved tail", `[1,2,3,4,5,6,7]`, `[6,7,1,2,3,4,5]`, `> [5] => [0] x2`},
		{"moved head", `["a","b","c","d"]`, `["c","d","a","b"]`, `> [2] => [0] x2`},
		{"one moved up", `[{"id":1},{"id":2},{"id":3},{"id":4}]`, `[{"id":3},{"id":1},{"id":2},{"id":4}]`, `> [2] => [0] x1`},
		{"moved and changed is not moved", `[{"id":1,"v":1},{"id":2},{"id":3}]`, `[{"id":2},{"id":3},{"id":1,"v":2}]`, "- [0] {\"id\":1,\"v\":1}\n+ [2] {\"id\":1,\"v\":2}"},
		{"scalars in place", `[1,2,3]`, `[1,9,3]`, `~ [1] 2 -> 9`},
		{"repeated elements", `[0,0,0,1,0,0]`, `[0,0,1,0,0,0]`, `> [3] => [2] x1`},
		{"a plan", `{"plan":[{"do":"read","done":true},{"do":"count","done":false}],"notes":["a"]}`,
			`{"plan":[{"do":"read","done":true},{"do":"count","done":true}],"notes":["a","b"]}`,
			"~ .plan[1].done false -> true\n+ .notes[1] \"b\""},
		{"a list replaced by others", `[{"id":1},{"id":2}]`, `[{"id":3}]`, "- [0] {\"id\":1}\n- [1] {\"id\":2}\n+ [0] {\"id\":3}"},
		{"kinds in an array", `[1]`, `[{"a":1}]`, "- [0] 1\n+ [0] {\"a\":1}"},
		{"nested arrays", `[[1,2],[3]]`, `[[1,2,5],[3]]`, `+ [0][2] 5`},
	} {
		got, err := Compare([]byte(test.old), []byte(test.new))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if text := describe(got); text != test.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", test.name, text, test.want)
		}
	}
}

func TestNotJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ old, new, want string }{
		{`{`, `{}`, "the old value: it is not JSON"},
		{`{}`, ``, "the new value: it is not JSON"},
	} {
		if _, err := Compare([]byte(test.old), []byte(test.new)); err == nil || err.Error() != test.want {
			t.Errorf("Compare(%s, %s): error %v, want %s", test.old, test.new, err, test.want)
		}
	}
}

// TestEveryElementIsAccountedFor compares random arrays: what is neither removed,
// added, changed nor moved must be equal, element for element, in its place.
func TestEveryElementIsAccountedFor(t *testing.T) {
	t.Parallel()
	random := func(n, kinds int) []int {
		values := make([]int, rand.IntN(n))
		for i := range values {
			values[i] = rand.IntN(kinds)
		}
		return values
	}
	for range 3000 {
		old, new := random(30, 8), random(30, 8)
		if rand.IntN(2) == 0 { // an edit of the old one
			new = append(random(3, 30), old[len(old)/2:]...)
			new = append(new, old[:len(old)/2]...)
		}
		checkArrays(t, old, new)
	}
	checkArrays(t, random(3000, 3), random(3000, 3)) // longer than a window
	checkArrays(t, random(3000, 1e6), random(3000, 1e6))
}

func checkArrays(t *testing.T, old, new []int) {
	t.Helper()
	a, b := parseArray(t, old), parseArray(t, new)
	pairs := align(a.items, b.items)
	last := pair{-1, -1}
	kept := 0
	for _, p := range pairs {
		if p.old <= last.old || p.new <= last.new {
			t.Fatalf("align(%v, %v) pairs %v after %v", old, new, p, last)
		}
		last = p
		if old[p.old] != new[p.new] {
			kept--
		}
		kept++
	}
	removed, added := unpaired(pairs, len(old), len(new))
	moved := 0
	for j, m := range findMoves(a.items, b.items, removed, added) {
		for k := range m.count {
			if old[m.from+k] != new[j+k] {
				t.Fatalf("%v to %v: moved %d to %d and they differ", old, new, m.from+k, j+k)
			}
		}
		moved += m.count
	}
	count := func(open []bool) (n int) {
		for _, is := range open {
			if is {
				n++
			}
		}
		return n
	}
	if got := len(pairs) + moved + count(added); got != len(new) {
		t.Fatalf("%v to %v: %d of the new elements are accounted for, want %d", old, new, got, len(new))
	}
	if got := len(pairs) + moved + count(removed); got != len(old) {
		t.Fatalf("%v to %v: %d of the old elements are accounted for, want %d", old, new, got, len(old))
	}
}

func parseArray(t *testing.T, values []int) *node {
	t.Helper()
	n, err := parse([]byte(strings.ReplaceAll(fmt.Sprint(values), " ", ",")))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBoundedCost compares arrays that an exact alignment would take the square
// of their length for: 20,000 elements would be 4 * 10^8 comparisons.
func TestBoundedCost(t *testing.T) {
	t.Parallel()
	const n = 20_000
	array := func(element func(i int) string) []byte {
		var b bytes.Buffer
		b.WriteByte('[')
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(element(i))
		}
		b.WriteByte(']')
		return b.Bytes()
	}
	for name, test := range map[string][2][]byte{
		"reversed":   {array(func(i int) string { return fmt.Sprint(i) }), array(func(i int) string { return fmt.Sprint(n - i) })},
		"unrelated":  {array(func(i int) string { return fmt.Sprint(i) }), array(func(i int) string { return fmt.Sprint(n + i) })},
		"two values": {array(func(i int) string { return fmt.Sprint(i % 2) }), array(func(i int) string { return fmt.Sprint(i / 3 % 2) })},
		"objects":    {array(func(i int) string { return fmt.Sprintf(`{"n":%d,"m":1}`, i) }), array(func(i int) string { return fmt.Sprintf(`{"n":%d,"m":1}`, i*7%n+n) })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if changes, err := Compare(test[0], test[1]); err != nil || len(changes) == 0 {
				t.Errorf("%d changes, error %v", len(changes), err)
			}
		})
	}
}

func FuzzCompare(f *testing.F) {
	f.Add([]byte(`{"a":[1,2,{"id":"x"}]}`), []byte(`{"a":[2,{"id":"x","n":null}]}`))
	f.Add([]byte(`["\u00e9\ud800"]`), []byte(`[1e5,-0.10]`))
	f.Fuzz(func(t *testing.T, old, new []byte) {
		changes, err := Compare(old, new)
		if err != nil {
			return
		}
		back, err := Compare(new, old)
		if err != nil || (len(back) == 0) != (len(changes) == 0) {
			t.Fatalf("%d changes one way and %d the other (%v)", len(changes), len(back), err)
		}
		if same, err := Compare(old, old); err != nil || len(same) != 0 {
			t.Fatalf("a value differs from itself: %v, %v", same, err)
		}
	})
}

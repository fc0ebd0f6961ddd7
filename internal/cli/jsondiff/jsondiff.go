// Package jsondiff tells what changed between two JSON values, for people: which
// members of objects and which elements of arrays were added, removed, changed
// or moved. Arrays are aligned, so that an element inserted at the head is one
// addition and not a change of everything behind it.
//
// The cost is bounded by about n log n of the values' sizes, and so is memory;
// where an exact alignment would cost more, a simpler one is taken.
package jsondiff

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An Op is a kind of change.
type Op string

// The kinds of changes.
const (
	Add     Op = "add"
	Remove  Op = "remove"
	Replace Op = "change"
	Move    Op = "move"
)

// A Change is one difference. Paths are written as jq takes them: .plan[3].done,
// .files["a.md"], and "." for the whole value.
type Change struct {
	Op   Op
	Path string // in the new value; of what was removed, in the old one
	From string // in the old value, where that is another path
	// Count is how many elements in a row were moved together, starting at From
	// and Path.
	Count    int
	Old, New json.RawMessage // as written in the values; of a move neither
}

// Compare returns the changes that make the old value the new one, in the order
// of the new value and what was removed before what came in its place, or none when they are the same value: the order of members,
// white space and the spelling of numbers and strings make no difference. Of
// members with the same name the last one counts.
func Compare(old, new []byte) ([]Change, error) {
	a, err := parse(old)
	if err != nil {
		return nil, fmt.Errorf("the old value: %w", err)
	}
	b, err := parse(new)
	if err != nil {
		return nil, fmt.Errorf("the new value: %w", err)
	}
	var c comparison
	c.compare(a, b, "", "")
	return c.changes, nil
}

var errNotJSON = errors.New("it is not JSON")

// A comparison collects changes.
type comparison struct{ changes []Change }

func (c *comparison) compare(a, b *node, from, to string) {
	switch {
	case a.sum == b.sum:
	case a.kind == '{' && b.kind == '{':
		c.objects(a, b, from, to)
	case a.kind == '[' && b.kind == '[':
		c.arrays(a, b, from, to)
	default:
		c.add(Change{Op: Replace, Path: to, From: from, Old: a.raw, New: b.raw})
	}
}

func (c *comparison) add(change Change) {
	if change.From == change.Path {
		change.From = ""
	} else if change.From == "" && (change.Op == Replace || change.Op == Move) {
		change.From = "."
	}
	if change.Path == "" {
		change.Path = "."
	}
	c.changes = append(c.changes, change)
}

func (c *comparison) objects(a, b *node, from, to string) {
	for i, name := range a.names {
		if b.member(name) == nil {
			c.add(Change{Op: Remove, Path: from + member(name), Old: a.items[i].raw})
		}
	}
	for i, name := range b.names {
		switch before := a.member(name); before {
		case nil:
			c.add(Change{Op: Add, Path: to + member(name), New: b.items[i].raw})
		default:
			c.compare(before, b.items[i], from+member(name), to+member(name))
		}
	}
}

func (c *comparison) arrays(a, b *node, from, to string) {
	pairs := align(a.items, b.items)
	removed, added := unpaired(pairs, len(a.items), len(b.items))
	moves := findMoves(a.items, b.items, removed, added)

	// In the order of the new array; what was removed stands where it was missed.
	i, next := 0, 0
	removeUpTo := func(end int) {
		for ; i < end; i++ {
			if removed[i] {
				c.add(Change{Op: Remove, Path: from + element(i), Old: a.items[i].raw})
			}
		}
	}
	for j := 0; j < len(b.items); j++ {
		if next < len(pairs) && pairs[next].new == j {
			removeUpTo(pairs[next].old)
			c.compare(a.items[pairs[next].old], b.items[j], from+element(pairs[next].old), to+element(j))
			i = pairs[next].old + 1
			next++
			continue
		}
		if next < len(pairs) {
			removeUpTo(pairs[next].old)
		} else {
			removeUpTo(len(a.items))
		}
		if m, ok := moves[j]; ok {
			c.add(Change{Op: Move, From: from + element(m.from), Path: to + element(j), Count: m.count})
			j += m.count - 1
			continue
		}
		if added[j] {
			c.add(Change{Op: Add, Path: to + element(j), New: b.items[j].raw})
		}
	}
	removeUpTo(len(a.items))
}

// member returns the step of a path to a member of an object.
func member(name string) string {
	if isIdentifier(name) {
		return "." + name
	}
	return "[" + strconv.Quote(name) + "]"
}

func isIdentifier(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) < 0 && (s[0] < '0' || s[0] > '9')
}

// element returns the step of a path to an element of an array.
func element(i int) string { return "[" + strconv.Itoa(i) + "]" }

// A move is a run of equal elements that stand elsewhere.
type move struct{ from, count int }

// findMoves takes the elements that were removed in one place and added in
// another out of both, and returns them by their new index.
func findMoves(old, new []*node, removed, added []bool) map[int]move {
	places := map[uint64][]int{}
	for i, n := range old {
		if removed[i] {
			places[n.sum] = append(places[n.sum], i)
		}
	}
	moves := map[int]move{}
	start := -1 // of the present run, in new
	for j, n := range new {
		if !added[j] {
			start = -1
			continue
		}
		if start >= 0 {
			run := moves[start]
			if i := run.from + run.count; i < len(old) && removed[i] && old[i].sum == n.sum {
				moves[start] = move{run.from, run.count + 1}
				removed[i], added[j] = false, false
				continue
			}
		}
		start = -1
		free := places[n.sum]
		for len(free) > 0 && !removed[free[0]] {
			free = free[1:]
		}
		places[n.sum] = free
		if len(free) > 0 {
			start = j
			moves[j] = move{free[0], 1}
			removed[free[0]], added[j] = false, false
		}
	}
	return moves
}

// unpaired returns which elements have no counterpart.
func unpaired(pairs []pair, olds, news int) (removed, added []bool) {
	removed, added = slices.Repeat([]bool{true}, olds), slices.Repeat([]bool{true}, news)
	for _, p := range pairs {
		removed[p.old], added[p.new] = false, false
	}
	return removed, added
}

package ui

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// What a page shows of a state. Sizes are in bytes of HTML, about.
const (
	treeSize  = 1_500_000 // of the whole tree
	elements  = 32 << 10  // that each element of a container may take, while there are as many
	longest   = 2_000     // bytes of a string within a tree
	chunk     = 200_000   // bytes of a string on a page of its own
	deepest   = 32        // levels; deeper ones are on pages of their own
	openDepth = 2         // levels that are open at first,
	openSize  = 300       // and smaller containers, in bytes of JSON
	nodeSize  = 130       // of a node without its text
)

// A node is a value of a state, as the tree shows it.
type node struct {
	Index     int
	Name      string // of a member, ready to show
	Element   bool   // of an array: Index is what it is called by
	Class     string // of the value: string, number, or word for true, false and null
	Text      string // of a value that is no container
	Container bool
	Summary   string // of a container: what it holds
	Open      bool
	Children  []*node
	Part      string // the address of the value on a page of its own, where not all is shown here
	PartText  string
}

// A treeBuilder turns JSON into nodes.
type treeBuilder struct {
	base int                               // levels above what the page shows
	part func(path []int, from int) string // the address of a part
}

// build returns the node of a value and about how much HTML it makes, which is not
// much more than most. From is the first element of a container, or byte of a string,
// to show.
//
// Each element of a container may take a quarter of what is left, or a fixed size if
// that is more: so an array of many messages is shown from its beginning on, and a
// large member leaves room for those behind it.
func (b treeBuilder) build(data []byte, path []int, from, most int) (*node, int) {
	n := &node{}
	switch data[0] {
	case '{', '[':
		return b.container(data, path, from, most)
	case '"':
		n.Class = "string"
		limit := longest
		if most == treeSize { // a page of its own
			limit = chunk
		}
		text := stringOf(data)
		for from = min(from, len(text)); from < len(text) && !utf8.RuneStart(text[from]); {
			from++
		}
		n.Text = text[from:]
		if len(n.Text) > limit {
			n.Text = cut(n.Text, limit)
			shown := from + len(n.Text) - len("…")
			n.Part, n.PartText = b.part(path, shown), "the next "+human.Size(int64(len(text)-shown))
		}
	case 't', 'f', 'n':
		n.Class, n.Text = "word", string(data)
	default:
		n.Class, n.Text = "number", cut(string(data), longest)
	}
	return n, nodeSize + escapedSize(n.Text) + len(n.Part)
}

func (b treeBuilder) container(data []byte, path []int, from, most int) (*node, int) {
	depth := len(path) - b.base
	n := &node{Container: true, Open: depth < openDepth || len(data) <= openSize}
	isArray := data[0] == '['
	used, count, full := nodeSize, 0, depth >= deepest
	for i, m := range members(data) {
		count++
		if i < from || full {
			continue
		}
		left := most - used
		if left < nodeSize && len(n.Children) > 0 {
			full = true
			continue
		}
		child, size := b.build(m.value, append(path[:len(path):len(path)], i), 0, max(left/4, min(left, elements)))
		child.Index, child.Element = i, isArray
		if !isArray {
			child.Name = cut(terminal.Quote(stringOf(m.name)), longest)
			size += escapedSize(child.Name)
		}
		used += size
		n.Children = append(n.Children, child)
	}
	what := "member"
	if isArray {
		what = "element"
	}
	n.Summary = human.Count(int64(count), what) + ", " + human.Size(int64(len(data)))
	if next := from + len(n.Children); next < count {
		n.Part, n.PartText = b.part(path, next), "the other "+human.Count(int64(count-next), what)
		if next == 0 {
			n.PartText = "show " + human.Count(int64(count), what)
		}
		used += len(n.Part)
	}
	return n, used
}

// stringOf returns what a JSON string says, or as it is written where it says what
// cannot be seen or held: escapes of single surrogates, invisible characters.
func stringOf(quoted []byte) string {
	var s string
	if json.Unmarshal(quoted, &s) != nil || !visible(s) {
		return string(terminal.JSON(quoted))
	}
	return s
}

// visible reports whether text shows itself as it is. U+FFFD may stand for what could
// not be decoded.
func visible(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || r != '\n' && r != '\t' && r != '\r' && !strconv.IsPrint(r) && r != '\u00a0' && r != '\u3000' {
			return false
		}
	}
	return true
}

// escapedSize is how many bytes text has in HTML, at most about.
func escapedSize(text string) int {
	n := len(text)
	for i := range len(text) {
		switch text[i] {
		case '"', '\'', '<', '>', '&', '+':
			n += 4
		}
	}
	return n
}

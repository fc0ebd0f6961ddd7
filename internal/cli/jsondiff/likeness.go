package jsondiff

// The likeness of two elements, as far as it decides whether one is shown as
// what became of the other.
const (
	unlike = 0
	alike  = 1    // of one kind
	same   = 1000 // equal
)

// sampled is how many members or elements are looked at.
const sampled = 32

// identities are the names of members that tell which thing an object is about.
var identities = []string{"id", "key", "name"}

// likeness returns unlike, same, or something between that grows with what two
// nodes share.
func likeness(a, b *node) int32 {
	switch {
	case a.sum == b.sum:
		return same
	case a.kind == '{' && b.kind == '{':
		return alikeObjects(a, b)
	case a.kind == '[' && b.kind == '[':
		shared := 0
		for i := range min(len(a.items), len(b.items), sampled) {
			if a.items[i].sum == b.items[i].sum {
				shared++
			}
		}
		return share(shared, max(len(a.items), len(b.items)))
	case a.kind == '"' && b.kind == '"':
		return share(commonEnds(a.raw, b.raw), max(len(a.raw), len(b.raw)))
	case isScalar(a) && isScalar(b):
		return alike
	}
	return unlike
}

func isScalar(n *node) bool { return n.kind != '{' && n.kind != '[' }

// alikeObjects compares members. Objects with different ids are different things,
// and with the same id the same thing.
func alikeObjects(a, b *node) int32 {
	for _, name := range identities {
		if x, y := a.member(name), b.member(name); x != nil && y != nil {
			if x.sum != y.sum {
				return unlike
			}
			return same - 1
		}
	}
	shared, names := 0, 0
	for i, name := range a.names[:min(len(a.names), sampled)] {
		if other := b.member(name); other != nil {
			names++
			if other.sum == a.items[i].sum {
				shared++
			}
		}
	}
	if names == 0 {
		return unlike
	}
	return share(shared, max(len(a.names), len(b.names)))
}

// share scales a part of a whole to a likeness below same.
func share(part, whole int) int32 {
	if whole == 0 {
		return alike
	}
	return alike + int32((same-2)*min(part, whole)/whole)
}

// commonEnds returns how many bytes two texts share at their beginning and end.
func commonEnds(a, b []byte) int {
	const most = 1 << 10
	short := min(len(a), len(b))
	head := 0
	for head < min(short, most) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(short-head, most) && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	return head + tail
}

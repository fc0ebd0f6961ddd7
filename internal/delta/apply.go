package delta

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Apply returns what the patches, each made against the result of the one before,
// make of base, and checks the digest of the last result. The bytes of the results
// between are not put together, so that a long chain costs little more than one copy
// of the state. [ErrPatch] when a patch is damaged or missing; [ErrSize] when a result
// is longer than limit.
//
// Whatever the patches are, it never holds more than four times the length of the
// longest result and 64 bytes for each byte of the patches, and takes time linear in
// these. The result shares no memory with base and the patches; without patches it is
// a copy of base.
func Apply(base []byte, limit int, patches ...[]byte) ([]byte, error) {
	r, next := whole(base), rope{}
	var want [digestSize]byte
	for _, patch := range patches {
		h, instructions, err := readHeader(patch, limit)
		if err != nil {
			return nil, err
		}
		if h.base != r.size {
			return nil, ErrPatch
		}
		if err := r.apply(instructions, h.size, &next); err != nil {
			return nil, err
		}
		r, next, want = next, r, h.digest
	}
	state := r.bytes()
	if len(patches) > 0 && digest(state) != want {
		return nil, ErrPatch
	}
	return state, nil
}

type header struct {
	base, size int // bytes
	digest     [digestSize]byte
}

func readHeader(patch []byte, limit int) (header, []byte, error) {
	var h header
	if len(patch) == 0 || patch[0] != format {
		return h, nil, ErrPatch
	}
	base, patch, ok1 := uvarint(patch[1:])
	size, patch, ok2 := uvarint(patch)
	if !ok1 || !ok2 || base > 1<<31-1 || len(patch) < digestSize {
		return h, nil, ErrPatch
	}
	if size > uint64(limit) {
		return h, nil, ErrSize
	}
	h.base, h.size = int(base), int(size)
	copy(h.digest[:], patch)
	return h, patch[digestSize:], nil
}

// A rope is a state in pieces: parts of the base and of literals.
type rope struct {
	pieces [][]byte // none is empty
	ends   []int    // where each piece ends in the state
	size   int
	joined bool // what is added is copied to the end of the one piece
}

// perPiece is how many bytes a rope should have for each of its pieces: below, it is
// put together, so that pieces do not multiply.
const perPiece = 64

func whole(state []byte) rope {
	var r rope
	r.add(state)
	return r
}

func (r *rope) add(piece []byte) {
	if len(piece) == 0 {
		return
	}
	r.size += len(piece)
	if r.joined {
		r.pieces[0], r.ends[0] = append(r.pieces[0], piece...), r.size
		return
	}
	r.pieces = append(r.pieces, piece)
	r.ends = append(r.ends, r.size)
}

// bytes returns the state in memory of its own. Join does not clear that before.
func (r rope) bytes() []byte { return bytes.Join(r.pieces, nil) }

// reset makes r empty, with the room for pieces that it has, and lets go of theirs.
func (r *rope) reset() {
	clear(r.pieces)
	*r = rope{pieces: r.pieces[:0], ends: r.ends[:0]}
}

// apply makes out the state of that size that the instructions make out of r.
func (r rope) apply(instructions []byte, size int, out *rope) error {
	out.reset()
	end := 0 // of the last copy
	for out.size < size {
		n, rest, ok := uvarint(instructions)
		if !ok || n > uint64(min(len(rest), size-out.size)) {
			return ErrPatch
		}
		out.add(rest[:n])
		instructions = rest[n:]
		if out.size == size {
			break
		}
		length, rest, ok1 := uvarint(instructions)
		skip, rest, ok2 := varint(rest)
		from := int64(end) + skip // end is below 2^31
		if !ok1 || !ok2 || length == 0 || length > uint64(size-out.size) || skip != int64(int32(skip)) ||
			from < 0 || from > int64(r.size) || length > uint64(r.size)-uint64(from) {
			return ErrPatch
		}
		instructions = rest
		end = int(from) + int(length)
		r.slice(int(from), end, out)
		if len(out.pieces) > 256 && len(out.pieces) > out.size/perPiece {
			out.join(size)
		}
	}
	if len(instructions) > 0 {
		return ErrPatch
	}
	return nil
}

// slice adds r[from:to] to out.
func (r rope) slice(from, to int, out *rope) {
	i, found := slices.BinarySearch(r.ends, from)
	if found {
		i++ // the piece that begins there
	}
	for ; from < to; i++ {
		p := r.pieces[i]
		begin := r.ends[i] - len(p)
		p = p[from-begin : min(len(p), to-begin)]
		out.add(p)
		from += len(p)
	}
}

// join puts the pieces together, with room for a state of that size.
func (r *rope) join(size int) {
	b := make([]byte, 0, size)
	for _, p := range r.pieces {
		b = append(b, p...)
	}
	*r = rope{pieces: [][]byte{b}, ends: []int{len(b)}, size: len(b), joined: true}
}

func uvarint(b []byte) (uint64, []byte, bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

func varint(b []byte) (int64, []byte, bool) {
	v, n := binary.Varint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

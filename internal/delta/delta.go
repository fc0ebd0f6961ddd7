// Package delta makes and applies patches between byte strings: the difference of a
// state from the state before, for incremental saves.
//
// A patch is, in this order,
//
//	the format, one byte
//	the lengths of the base and of the result, as uvarints
//	the digest of the result, the first 16 bytes of its SHA-256
//	instructions until the result is complete, each of them
//	    the length of a literal, a uvarint, and its bytes
//	    if the result is not complete then: the length of a copy from the base, a
//	    uvarint, and where it begins, a varint counted from the end of the copy before
//
// The digest is a cryptographic one because a patch is applied to what a database
// returns: it must tell every other base, also one that was made to be mistaken,
// and not only bits that flipped. SHA-256 is the fastest such function of the
// standard library where the processor has instructions for it. A digest of the base
// would say nothing more: what another base yields is another result.
//
// Existing formats were looked at. A Zstandard frame with the base as its dictionary
// needs a package outside the standard library in every program that loads; bsdiff
// sorts suffixes, which takes seconds for a megabyte; VCDIFF has no maintained
// encoder in Go.
package delta

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

const (
	format     = 1
	digestSize = 16
)

// ErrPatch says that a patch is damaged, or was not made against this base.
var ErrPatch = errors.New("the patch is damaged or has another base")

// ErrSize says that the result would be longer than the caller allows.
var ErrSize = errors.New("the patch yields more than is allowed")

func digest(state []byte) (d [digestSize]byte) {
	sum := sha256.Sum256(state)
	copy(d[:], sum[:])
	return d
}

// Append appends to dst the patch that makes state out of base, and returns the Sum of
// state; old is that of base, or zero. It reports false, and returns dst as it was and
// a zero Sum, when the patch would take more than limit bytes. It takes time linear in
// the two lengths; besides dst and the Sum it uses memory that does not grow with them.
// Neither may be longer than 1 GiB.
func Append(dst, base, state []byte, old Sum, limit int) ([]byte, Sum, bool) {
	start := len(dst)
	dst = append(dst, format)
	dst = appendSizes(dst, base, state)
	at := len(dst)
	dst = append(dst, make([]byte, digestSize)...)
	w := writer{patch: dst, start: start, limit: limit, base: base, state: state}
	common := commonPrefix(base, state)
	if !w.write(common) {
		return dst[:start], Sum{}, false
	}
	sum := old.begin(common).complete(state)
	copy(w.patch[at:], sum.digest[:])
	return w.patch, sum, true
}

func appendSizes(dst, base, state []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(base)))
	return binary.AppendUvarint(dst, uint64(len(state)))
}

// A writer writes the instructions of one patch.
type writer struct {
	patch        []byte
	start, limit int // the patch begins at start, and may have limit bytes
	base, state  []byte
	done         int // state[:done] is written
	end          int // where the last copy ended in base
}

// write writes everything; first is the length of the common beginning.
func (w *writer) write(first int) bool {
	base, state := w.base, w.state
	if !w.copy(0, 0, first) {
		return false
	}
	last := commonSuffix(base[first:], state[first:])
	m := matcherPool.Get().(*matcher)
	defer matcherPool.Put(m)
	ok := m.match(base, state, span{first, len(base) - last, first, len(state) - last}, 0, w.copy)
	return ok && w.copy(len(base)-last, len(state)-last, last) && w.finish()
}

// copy writes that state[to:to+n] is base[from:from+n], after what lies before it and
// has not been written. It reports false when the patch has become too long.
func (w *writer) copy(from, to, n int) bool {
	if n == 0 {
		return true
	}
	if !w.literal(to) {
		return false
	}
	w.patch = binary.AppendUvarint(w.patch, uint64(n))
	w.patch = binary.AppendVarint(w.patch, int64(from-w.end))
	w.done, w.end = to+n, from+n
	return len(w.patch)-w.start <= w.limit
}

// literal writes state[done:to].
func (w *writer) literal(to int) bool {
	if len(w.patch)-w.start+to-w.done > w.limit {
		return false
	}
	w.patch = binary.AppendUvarint(w.patch, uint64(to-w.done))
	w.patch = append(w.patch, w.state[w.done:to]...)
	w.done = to
	return true
}

func (w *writer) finish() bool {
	if w.done < len(w.state) && !w.literal(len(w.state)) {
		return false
	}
	return len(w.patch)-w.start <= w.limit
}

// compared is how many bytes are compared at a time while they are equal, which is
// faster than looking for where they differ.
const compared = 1 << 10

// commonPrefix returns how many bytes a and b have in common at the beginning.
func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for i+compared <= n && bytes.Equal(a[i:i+compared], b[i:i+compared]) {
		i += compared
	}
	for ; i+8 <= n; i += 8 {
		if binary.LittleEndian.Uint64(a[i:]) != binary.LittleEndian.Uint64(b[i:]) {
			break
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// commonSuffix returns how many bytes a and b have in common at the end.
func commonSuffix(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for i+compared <= n && bytes.Equal(a[len(a)-i-compared:len(a)-i], b[len(b)-i-compared:len(b)-i]) {
		i += compared
	}
	for ; i+8 <= n; i += 8 {
		if binary.LittleEndian.Uint64(a[len(a)-i-8:]) != binary.LittleEndian.Uint64(b[len(b)-i-8:]) {
			break
		}
	}
	for i < n && a[len(a)-1-i] == b[len(b)-1-i] {
		i++
	}
	return i
}

package delta

import (
	"crypto/sha256"
	"hash"
	"unsafe"
)

// markEvery is how far apart the marks of a [Sum] are, in bytes. A mark takes some 150
// bytes, and what lies behind the last useful one is hashed in less than 50 µs.
const markEvery = 64 << 10

// A Sum is the digest of a state, with marks from which the digest of another state
// that begins alike is continued: that of a conversation with one message more costs
// the message, and not the conversation. The zero Sum knows nothing, and is good for
// any state. A Sum does not change, and shares no memory with the state.
type Sum struct {
	digest [digestSize]byte
	marks  []hash.Cloner // the hash of the first markEvery bytes, of twice as many, …
}

// SumOf returns the Sum of state. Where old is the Sum of base, what base and state
// have in common at the beginning is not hashed again.
func SumOf(old Sum, base, state []byte) Sum {
	return old.Of(base, state).complete(state)
}

// Digest returns the digest of the state: the first 16 bytes of its SHA-256.
func (s Sum) Digest() [digestSize]byte { return s.digest }

// Size is about how many bytes the Sum takes.
func (s Sum) Size() int {
	const mark = 128 + int(unsafe.Sizeof(hash.Cloner(nil))) // SHA-256's state takes 128
	return cap(s.marks) * mark
}

// Of returns what a Sum of base knows of state, which has no digest yet.
func (s Sum) Of(base, state []byte) Sum {
	end := min(len(base), len(state), len(s.marks)*markEvery)
	return s.begin(commonPrefix(base[:end], state[:end]))
}

// begin returns what s knows of a state that has so many bytes in common with its own.
func (s Sum) begin(common int) Sum {
	n := min(common/markEvery, len(s.marks))
	return Sum{marks: s.marks[:n:n]}
}

// complete returns the Sum of state, of which s knows the beginning.
func (s Sum) complete(state []byte) Sum {
	known := len(s.marks)
	out := Sum{marks: make([]hash.Cloner, known, len(state)/markEvery)}
	copy(out.marks, s.marks)
	h := sha256.New()
	if known > 0 {
		h, _ = clone(s.marks[known-1])
	}
	for at := known * markEvery; ; at += markEvery {
		if at+markEvery > len(state) {
			h.Write(state[at:])
			break
		}
		h.Write(state[at : at+markEvery])
		if mark, ok := clone(h); ok {
			out.marks = append(out.marks, mark)
		}
	}
	var sum [sha256.Size]byte
	copy(out.digest[:], h.Sum(sum[:0]))
	return out
}

// clone copies a hash. All of the standard library's can be copied.
func clone(h hash.Hash) (hash.Cloner, bool) {
	c, ok := h.(hash.Cloner)
	if !ok {
		return nil, false
	}
	copied, err := c.Clone()
	return copied, err == nil
}

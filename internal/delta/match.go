package delta

import (
	"bytes"
	"math/bits"
	"sync"
)

// Matches are found as rsync finds them: blocks of the base are put into a table by
// a hash that can be rolled along the state byte by byte, and where the state has the
// hash of a block, the match is extended in both directions. The table has a fixed
// size, so the blocks are longer the longer the base is. What lies between two
// matches is then searched again, with blocks as short as its length allows.
const (
	tableSize  = 1 << 14 // blocks of the base that are looked for at a time
	shortest   = 16      // bytes of the shortest block
	depth      = 3       // how often a part is searched: 1 GiB has blocks of 64 KiB, 4 KiB have the shortest
	multiplier = 0x9e3779b1
)

// The multiplier's powers, modulo 2^32, for hashing eight bytes at a time.
const (
	p1 = multiplier
	p2 = p1 * p1 % (1 << 32)
	p4 = p2 * p2 % (1 << 32)
	p8 = p4 * p4 % (1 << 32)
)

// A span is a part of the base and the part of the state that takes its place.
type span struct{ fromBase, toBase, fromState, toState int }

// A matcher holds the table: at the place of a hash, the number of the block that has
// it, counted from 1, and above that a tag of the hash.
type matcher struct {
	table [2 * tableSize]uint32
	inner *matcher // for what lies between two matches
}

// tag leaves the bits of a hash that are not needed for the number of a block.
const (
	numberBits = 15 // up to tableSize
	tag        = 1<<32 - 1<<numberBits
)

var matcherPool = sync.Pool{New: func() any { return new(matcher) }}

// match calls yield for parts of the base that are found in the state, in the order of
// the state, and ends when it returns false.
func (m *matcher) match(base, state []byte, s span, level int, yield func(from, to, n int) bool) bool {
	old, now := base[s.fromBase:s.toBase], state[s.fromState:s.toState]
	size := shortest
	for len(old)/size > tableSize {
		size *= 2
	}
	if len(old) < size || len(now) < size {
		return true
	}
	table := m.index(old, size)
	shift := 32 - bits.Len(uint(len(table)-1))

	var power uint32 = 1 // multiplier^size, by which the byte that leaves is weighed
	for range size {
		power *= multiplier
	}
	// What has been yielded ends at doneOld and doneNow.
	doneOld, doneNow := 0, 0
	misses := len(now) // a bound on comparisons that come to nothing, against states made for it
	at := 0
	h := hashOf(now[:size])
	for {
		from := -1
		if n := table[h*multiplier>>shift]; (n^h<<numberBits)&tag == 0 && n&^tag != 0 {
			from = int(n&^tag-1) * size
			if !bytes.Equal(old[from:from+size], now[at:at+size]) {
				from = -1
				if misses -= size / 8; misses < 0 {
					return true
				}
			}
		}
		if from < 0 {
			if at+size >= len(now) {
				break
			}
			h = h*multiplier + uint32(now[at+size]) - power*uint32(now[at])
			at++
			continue
		}
		to, n := at, size+commonPrefix(old[from+size:], now[at+size:])
		back := commonSuffix(old[:from], now[doneNow:to])
		from, to, n = from-back, to-back, n+back
		// What changed between two matches that follow one another in the base too.
		if doneOld < from && doneNow < to && level+1 < depth && size > shortest {
			gap := span{s.fromBase + doneOld, s.fromBase + from, s.fromState + doneNow, s.fromState + to}
			if m.inner == nil {
				m.inner = new(matcher)
			}
			if !m.inner.match(base, state, gap, level+1, yield) {
				return false
			}
		}
		if !yield(s.fromBase+from, s.fromState+to, n) {
			return false
		}
		doneOld, doneNow = from+n, to+n
		at = doneNow
		if at+size > len(now) {
			break
		}
		h = hashOf(now[at : at+size])
	}
	if doneOld < len(old) && doneNow < len(now) && doneNow > 0 && level+1 < depth && size > shortest {
		gap := span{s.fromBase + doneOld, s.toBase, s.fromState + doneNow, s.toState}
		if m.inner == nil {
			m.inner = new(matcher)
		}
		return m.inner.match(base, state, gap, level+1, yield)
	}
	return true
}

// index fills as much of the table as the blocks of old need. Of equal blocks the
// first one counts.
func (m *matcher) index(old []byte, size int) []uint32 {
	blocks := len(old) / size
	table := m.table[:1<<bits.Len(uint(2*blocks-1))]
	clear(table)
	shift := 32 - bits.Len(uint(len(table)-1))
	for i := blocks - 1; i >= 0; i-- {
		h := hashOf(old[i*size : (i+1)*size])
		table[h*multiplier>>shift] = h<<numberBits&tag | uint32(i+1)
	}
	return table
}

// hashOf is the sum of block[i] * multiplier^(len-1-i): a polynomial that rolls.
func hashOf(block []byte) uint32 {
	var h uint32
	for len(block) >= 8 {
		b := block[:8]
		lo := ((uint32(b[0])*p1+uint32(b[1]))*p2 + uint32(b[2])*p1 + uint32(b[3]))
		hi := ((uint32(b[4])*p1+uint32(b[5]))*p2 + uint32(b[6])*p1 + uint32(b[7]))
		h = h*p8 + lo*p4 + hi
		block = block[8:]
	}
	for _, b := range block {
		h = h*p1 + uint32(b)
	}
	return h
}

// Package jsonscan looks through JSON that an encoder has written, at a small part of
// what encoding it costs.
package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Deeper reports whether valid JSON nests deeper than limit levels.
func Deeper(data []byte, limit int) bool {
	if len(data) <= 2*limit || bytes.Count(data, []byte{'['})+bytes.Count(data, []byte{'{'}) <= limit {
		return false
	}
	return nesting(data) > limit
}

// nesting returns how deep valid JSON nests. Strings, which most of a conversation
// is, are passed over from quote to quote.
func nesting(data []byte) int {
	depth, deepest := 0, 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = stringEnd(data, i+1)
			// What follows a key or a string is mostly another string.
			for i+2 < len(data) && data[i+2] == '"' && (data[i+1] == ':' || data[i+1] == ',') {
				i = stringEnd(data, i+3)
			}
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest
}

// stringEnd returns the index of the quote that ends the JSON string whose text
// begins at from, or len(data).
func stringEnd(data []byte, from int) int {
	// Most strings are keys and other words, which end within a few bytes.
	const few = 4
	at := from
	for n := 0; n < few && at+8 <= len(data); n++ {
		word := binary.LittleEndian.Uint64(data[at:])
		stop := zeros(word^all('"')) | zeros(word^all('\\'))
		if stop == 0 {
			at += 8
			continue
		}
		at += bits.TrailingZeros64(stop) / 8
		if data[at] == '"' {
			return at
		}
		at += 2 // an escape
	}
	for from = at; ; {
		if at >= len(data) {
			return len(data)
		}
		n := bytes.IndexByte(data[at:], '"')
		if n < 0 {
			return len(data)
		}
		at += n
		escapes := 0
		for at-1-escapes >= from && data[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return at
		}
		at++
	}
}

// all returns the word of eight bytes b.
func all(b byte) uint64 { return 0x0101010101010101 * uint64(b) }

// zeros returns a word in which the high bit of a byte is set where that byte of word
// is zero. Above the lowest one it may be set where the byte is 1 as well.
func zeros(word uint64) uint64 { return (word - all(1)) &^ word & all(0x80) }

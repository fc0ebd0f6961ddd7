package names

import (
	"math"
	"unicode/utf8"
)

// Range turns a Prefix and an After, which are arbitrary byte strings, into
// bounds over the names that threads can have: a thread has the prefix and
// comes after After exactly if low <= name, and name < high or high is "".
// Both bounds are valid UTF-8 without NUL and hardly longer than a name, so that
// every database takes them.
// ok is false when no name lies in the range.
func Range(prefix, after string) (low, high string, ok bool) {
	from := prefix
	if after >= from {
		from = after + "\x01" // the least name greater than after
	}
	low, ok = ceil(from)
	if !ok {
		return "", "", false
	}
	if s := successor(prefix); s != "" {
		if h, ok := ceil(s); ok {
			high = h
		}
	}
	if high != "" && low >= high {
		return "", "", false
	}
	return cut(low), cut(high), true
}

// cut shortens a bound that is longer than any name: no name has the rest as a
// prefix, so all compare with it as with the whole.
func cut(bound string) string {
	if len(bound) <= MaxThread+utf8.UTFMax {
		return bound
	}
	end := MaxThread + utf8.UTFMax
	for !utf8.RuneStart(bound[end]) {
		end--
	}
	return bound[:end]
}

// successor returns the least byte string greater than every one that starts
// with prefix, or "" if there is none.
func successor(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != math.MaxUint8 {
			return prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return ""
}

// ceil returns the least string of UTF-8 without NUL that is not less than s
// in byte order.
func ceil(s string) (string, bool) {
	valid := 0
	for valid < len(s) {
		r, n := utf8.DecodeRuneInString(s[valid:])
		if r == 0 || r == utf8.RuneError && n == 1 {
			break
		}
		valid += n
	}
	if valid == len(s) {
		return s, true
	}
	head, tail := s[:valid], s[valid:]
	// The rest starts no rune, so the first rune that sorts after it decides;
	// where there is none, the last rune of the head has to grow.
	if r, ok := runeAfter(tail); ok {
		return head + string(r), true
	}
	for head != "" {
		last, n := utf8.DecodeLastRuneInString(head)
		head = head[:len(head)-n]
		if r, ok := next(last); ok {
			return head + string(r), true
		}
	}
	return "", false
}

// runeAfter returns the least rune whose encoding is greater than tail, which
// does not start with the encoding of a rune.
func runeAfter(tail string) (rune, bool) {
	low, high := rune(1), rune(utf8.MaxRune)
	if string(high) < tail {
		return 0, false
	}
	for low < high { // encodings sort as the runes do
		mid := low + (high-low)/2
		if !utf8.ValidRune(mid) {
			mid = 0xD7FF
			if mid < low {
				low = 0xE000
				continue
			}
		}
		if string(mid) < tail {
			if low, _ = next(mid); low > high {
				low = high
			}
		} else {
			high = mid
		}
	}
	return low, true
}

// next returns the rune after r in the order of encodings.
func next(r rune) (rune, bool) {
	switch r {
	case utf8.MaxRune:
		return 0, false
	case 0xD7FF:
		return 0xE000, true
	}
	return r + 1, true
}

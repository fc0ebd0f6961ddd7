package postgres

import (
	"bytes"
)

// maxJSONB is the longest JSON text that goes into a JSONB column. Longer
// states, at 32 MiB and more, would come near the limits of a JSONB value (256
// MB of elements, a gigabyte of text), and are not for queries.
const maxJSONB = 32 << 20

// fitsJSONB reports whether a JSONB column can hold a JSON text, and give it
// back without growing much. It errs on the safe side for what looks dangerous inside
// of a string, and leaves to the server what costs more to find out here: nesting
// too deep for its stack, a text that is no JSON at all. Both take the second
// way into the BYTEA column, after the server has refused the first.
func fitsJSONB(text []byte) bool {
	return len(text) <= maxJSONB && escapesFit(text) && numbersFit(text)
}

// escapesFit reports whether no \u escape is NUL, which PostgreSQL's text cannot
// hold, or a surrogate without its other half.
func escapesFit(text []byte) bool {
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte(`\u`))
		if i < 0 {
			return true
		}
		at := from + i
		backslashes := 1
		for at-backslashes >= 0 && text[at-backslashes] == '\\' {
			backslashes++
		}
		from = at + 2
		if backslashes%2 == 0 {
			continue // the backslash is itself escaped
		}
		switch u := hex4(text[from:]); {
		case u <= 0: // NUL, or no escape at all
			return false
		case u>>10 == 0xD800>>10:
			if low := text[min(from+4, len(text)):]; !bytes.HasPrefix(low, []byte(`\u`)) || hex4(low[2:])>>10 != 0xDC00>>10 {
				return false
			}
			from += 10
		case u>>10 == 0xDC00>>10:
			return false
		}
	}
}

// hex4 returns the number that four hexadecimal digits make, or -1.
func hex4(s []byte) int {
	if len(s) < 4 {
		return -1
	}
	n := 0
	for _, c := range s[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		n = n<<4 | int(c)
	}
	return n
}

// numbersFit reports whether numbers come back about as long as they were. JSONB
// writes them out: 1e100000 becomes 100,001 digits, and 1e131072 is refused. A
// double needs no more than 309 digits; what numbers with three digits of exponent
// add is bounded by the length of the text.
//
// Such exponents and long numbers have three digits in a row, so only every
// third byte needs to be looked at.
func numbersFit(text []byte) bool {
	const longest, highest = 1000, 999 // of digits, of exponents
	budget := 4096 + len(text)
	outside := scanner{text: text}
	for i := 2; i < len(text); i += 3 {
		if !isDigit(text[i]) {
			continue
		}
		first, end := i, i+1
		for first > 0 && isDigit(text[first-1]) {
			first--
		}
		for end < len(text) && isDigit(text[end]) {
			end++
		}
		i += (end - 1 - i) / 3 * 3
		digits := end - first
		if digits <= longest && !(digits >= 3 && isExponent(text, first)) || !isNumber(text, first, end) || !outside.strings(first) {
			continue
		}
		exponent := 0
		for _, c := range text[first:end] {
			exponent = min(10*exponent+int(c-'0'), highest+1)
		}
		if budget -= exponent; digits > longest || exponent > highest || budget < 0 {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// isExponent reports whether the digits from at on follow an e as in 1e9 or
// 1E+9.
func isExponent(text []byte, at int) bool {
	if at > 0 && (text[at-1] == '+' || text[at-1] == '-') {
		at--
	}
	return at > 1 && text[at-1]|0x20 == 'e' && isDigit(text[at-2])
}

// isNumber reports whether the digits stand between what may stand around a
// number. Most of those in a string do not: in 7f9e1024 for example.
func isNumber(text []byte, first, end int) bool {
	for first > 0 && bytes.IndexByte([]byte("0123456789+-.eE"), text[first-1]) >= 0 {
		first--
	}
	for end < len(text) && bytes.IndexByte([]byte("0123456789+-.eE"), text[end]) >= 0 {
		end++
	}
	return (first == 0 || bytes.IndexByte([]byte(":[, \t\r\n"), text[first-1]) >= 0) &&
		(end == len(text) || bytes.IndexByte([]byte(",]} \t\r\n"), text[end]) >= 0)
}

// A scanner tells what is outside of the strings of a JSON text.
type scanner struct {
	text   []byte
	at     int
	inside bool
}

// strings reports whether the byte at i, which is not before that of an earlier
// call, is outside of strings.
func (s *scanner) strings(i int) bool {
	for s.at < i {
		next := bytes.IndexByte(s.text[s.at:i], '"')
		if next < 0 {
			s.at = i
			break
		}
		quote := s.at + next
		backslashes := 0
		for s.inside && quote-backslashes > 0 && s.text[quote-backslashes-1] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			s.inside = !s.inside
		}
		s.at = quote + 1
	}
	return !s.inside
}

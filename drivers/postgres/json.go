package postgres

import (
	"bytes"
)

// maxJSONB is the longest JSON text that goes into a JSONB column. Longer
// states, at 32 MiB and more, would come near the limits of a JSONB value (256
// MB of elements, a gigabyte of text), and nobody queries them.
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
// may add is bounded by the length of the text.
//
// Exponents and numbers of that kind have three digits in a row, so only every
// third byte needs to be looked at.
func numbersFit(text []byte) bool {
	const longest, most = 1000, 999 // of a number, of an exponent
	budget := 4096 + len(text)
	for i := 2; i < len(text); i += 3 {
		if text[i]-'0' > 9 {
			continue
		}
		first, end := i, i+1
		for first > 0 && text[first-1]-'0' <= 9 {
			first--
		}
		for end < len(text) && text[end]-'0' <= 9 {
			end++
		}
		if end-first > longest {
			return false
		}
		if end-first >= 3 && isExponent(text, first) {
			exponent := 0
			for _, c := range text[first:end] {
				exponent = min(10*exponent+int(c-'0'), most+1)
			}
			if budget -= exponent; exponent > most || budget < 0 {
				return false
			}
		}
		i += (end - 1 - i) / 3 * 3
	}
	return true
}

// isExponent reports whether the digits from at on follow an e as in 1e9 or
// 1E+9.
func isExponent(text []byte, at int) bool {
	if at > 0 && (text[at-1] == '+' || text[at-1] == '-') {
		at--
	}
	return at > 1 && text[at-1]|0x20 == 'e' && text[at-2]-'0' <= 9
}

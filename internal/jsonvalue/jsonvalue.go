// Package jsonvalue compares JSON texts by the values they hold.
package jsonvalue

import (
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Canonical spells a JSON text in one way, so that two texts hold the same
// value exactly if they are spelled alike: no white space, keys sorted, the
// last of duplicate keys, numbers as digits and exponent without rounding,
// strings without escapes except for quotes and for surrogates that stand
// alone. encoding/json cannot do it: it replaces such surrogates and rounds
// numbers.
func Canonical(text []byte) (string, error) {
	if !json.Valid(text) {
		return "", errors.New("it is not JSON")
	}
	if !utf8.Valid(text) {
		return "", errors.New("it is not UTF-8")
	}
	p := &parser{rest: string(text)}
	var b strings.Builder
	p.value(&b)
	return b.String(), nil
}

// A parser reads a text that is known to be valid.
type parser struct{ rest string }

// next skips white space and returns the first byte after it.
func (p *parser) next() byte {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	return p.rest[0]
}

func (p *parser) value(b *strings.Builder) {
	switch c := p.next(); c {
	case '{':
		p.object(b)
	case '[':
		p.array(b)
	case '"':
		b.WriteString(p.str())
	case 't', 'f', 'n':
		word := p.take("truefalsn")
		b.WriteString(word)
	default:
		b.WriteString(canonicalNumber(p.take("+-.0123456789eE")))
	}
}

// take returns the longest beginning made of the given bytes.
func (p *parser) take(set string) string {
	n := 0
	for n < len(p.rest) && strings.IndexByte(set, p.rest[n]) >= 0 {
		n++
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	return word
}

func (p *parser) array(b *strings.Builder) {
	p.rest = p.rest[1:]
	b.WriteByte('[')
	for n := 0; p.next() != ']'; n++ {
		if n > 0 {
			p.rest = p.rest[1:] // the comma
			b.WriteByte(',')
		}
		p.value(b)
	}
	p.rest = p.rest[1:]
	b.WriteByte(']')
}

func (p *parser) object(b *strings.Builder) {
	p.rest = p.rest[1:]
	members := make(map[string]string)
	for n := 0; p.next() != '}'; n++ {
		if n > 0 {
			p.rest = p.rest[1:] // the comma
			p.next()
		}
		key := p.str()
		p.next()
		p.rest = p.rest[1:] // the colon
		var v strings.Builder
		p.value(&v)
		members[key] = v.String()
	}
	p.rest = p.rest[1:]
	keys := make([]string, 0, len(members))
	for k := range members {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b.WriteByte('{')
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(k + ":" + members[k])
	}
	b.WriteByte('}')
}

// str reads a string and returns it with its quotes, every character but a
// quote, a backslash and a lone surrogate standing for itself.
func (p *parser) str() string {
	var b strings.Builder
	b.WriteByte('"')
	p.rest = p.rest[1:]
	for {
		plain := strings.IndexAny(p.rest, `"\`)
		b.WriteString(p.rest[:plain])
		end := p.rest[plain] == '"'
		p.rest = p.rest[plain+1:]
		if end {
			b.WriteByte('"')
			return b.String()
		}
		c := p.rest[0]
		p.rest = p.rest[1:]
		switch c {
		case 'b', 'f', 'n', 'r', 't':
			b.WriteByte(map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}[c])
		case 'u':
			writeRune(&b, p.codePoint())
		default: // a quote, a backslash, a slash
			writeRune(&b, rune(c))
		}
	}
}

// codePoint reads the digits of a \u escape, and the escape that follows it if
// the two are a surrogate pair.
func (p *parser) codePoint() rune {
	r := p.hex()
	if utf16.IsSurrogate(r) && strings.HasPrefix(p.rest, `\u`) {
		ahead := &parser{rest: p.rest[2:]}
		if pair := utf16.DecodeRune(r, ahead.hex()); pair != utf8.RuneError {
			p.rest = ahead.rest
			return pair
		}
	}
	return r
}

func (p *parser) hex() rune {
	n, _ := strconv.ParseUint(p.rest[:4], 16, 32)
	p.rest = p.rest[4:]
	return rune(n)
}

func writeRune(b *strings.Builder, r rune) {
	switch {
	case r == '"' || r == '\\':
		b.WriteByte('\\')
		b.WriteRune(r)
	case utf16.IsSurrogate(r):
		b.WriteString(`\u` + strconv.FormatInt(int64(r), 16))
	default:
		b.WriteRune(r)
	}
}

// canonicalNumber spells a JSON number as its significant digits and a power
// of ten, whatever their size. Minus zero is zero.
func canonicalNumber(s string) string {
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	exponent := new(big.Int)
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exponent.SetString(strings.TrimPrefix(s[i+1:], "+"), 10)
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	exponent.Sub(exponent, big.NewInt(int64(len(fraction))))
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return "0"
	}
	significant := strings.TrimRight(digits, "0")
	exponent.Add(exponent, big.NewInt(int64(len(digits)-len(significant))))
	return sign + significant + "e" + exponent.String()
}

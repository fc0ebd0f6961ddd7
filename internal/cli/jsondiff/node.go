package jsondiff

import (
	"encoding/json"
	"hash/maphash"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A node is a JSON value with a sum by which equal values are known.
type node struct {
	kind  byte // '{', '[', '"', '0' for numbers, 't', 'f', 'n'
	raw   []byte
	items []*node  // of an array, or the members' values
	names []string // of the members, each once
	index map[string]int
	sum   uint64
}

// member returns the value of a member, or nil.
func (n *node) member(name string) *node {
	if i, ok := n.index[name]; ok {
		return n.items[i]
	}
	return nil
}

func parse(data []byte) (*node, error) {
	if !json.Valid(data) {
		return nil, errNotJSON
	}
	p := parser{data: data}
	p.space()
	return p.value(), nil
}

// seed makes sums that cannot be made to collide on purpose, the same ones for as
// long as the process lives.
var seed = maphash.MakeSeed()

// A parser reads JSON that is known to be valid.
type parser struct {
	data []byte
	at   int
}

func (p *parser) space() {
	for p.at < len(p.data) {
		switch p.data[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) value() *node {
	start := p.at
	n := &node{kind: p.data[p.at]}
	switch n.kind {
	case '{', '[':
		p.container(n)
	case '"':
		n.sum = sumOf('"', canonicalString(p.text()))
	case 't', 'n':
		p.at += len("true")
		n.sum = sumOf(n.kind, "")
	case 'f':
		p.at += len("false")
		n.sum = sumOf(n.kind, "")
	default:
		n.kind = '0'
		for p.at < len(p.data) && strings.IndexByte("+-.eE0123456789", p.data[p.at]) >= 0 {
			p.at++
		}
		n.sum = sumOf('0', canonicalNumber(string(p.data[start:p.at])))
	}
	n.raw = p.data[start:p.at:p.at]
	return n
}

// container reads an object or an array. The sum of an object does not depend on
// the order of its members.
func (p *parser) container(n *node) {
	isObject := n.kind == '{'
	if isObject {
		n.index = map[string]int{}
	}
	p.at++
	for p.space(); p.data[p.at] != '}' && p.data[p.at] != ']'; p.space() {
		if p.data[p.at] == ',' {
			p.at++
			p.space()
		}
		if !isObject {
			n.items = append(n.items, p.value())
			continue
		}
		name := canonicalString(p.text())
		p.space()
		p.at++ // the colon
		p.space()
		value := p.value()
		if i, twice := n.index[name]; twice {
			n.items[i] = value
			continue
		}
		n.index[name] = len(n.items)
		n.names = append(n.names, name)
		n.items = append(n.items, value)
	}
	p.at++
	var h maphash.Hash
	h.SetSeed(seed)
	h.WriteByte(n.kind)
	var members uint64
	for i, item := range n.items {
		if isObject {
			members += sumOf('m', n.names[i]+strconv.FormatUint(item.sum, 36))
		} else {
			writeSum(&h, item.sum)
		}
	}
	writeSum(&h, members)
	n.sum = h.Sum64()
}

// text reads a string with its quotes.
func (p *parser) text() string {
	start := p.at
	for p.at++; p.data[p.at] != '"'; p.at++ {
		if p.data[p.at] == '\\' {
			p.at++
		}
	}
	p.at++
	return string(p.data[start:p.at])
}

func writeSum(h *maphash.Hash, sum uint64) {
	for range 8 {
		h.WriteByte(byte(sum))
		sum >>= 8
	}
}

func sumOf(kind byte, text string) uint64 {
	return maphash.String(seed, string(kind)+text)
}

// canonicalString returns what a JSON string says. One with escaped surrogates,
// which Go cannot hold when they are alone, stays as it is written.
func canonicalString(quoted string) string {
	inner := quoted[1 : len(quoted)-1]
	if !strings.Contains(inner, `\`) && utf8.ValidString(inner) {
		return inner
	}
	if strings.Contains(inner, `\ud`) || strings.Contains(inner, `\uD`) {
		return inner
	}
	var s string
	if json.Unmarshal([]byte(quoted), &s) != nil {
		return inner
	}
	return s
}

// canonicalNumber returns the digits and the exponent of a number, the same for
// every spelling: 100, 1e2 and 100.0 are 1e2.
func canonicalNumber(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	exponent := int64(0)
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.ParseInt(s[i+1:], 10, 62)
		if err != nil {
			return sign + s // an exponent of more digits than a number can have
		}
		exponent, s = e, s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	exponent -= int64(len(fraction))
	short := strings.TrimRight(digits, "0")
	exponent += int64(len(digits) - len(short))
	if short == "" {
		return "0"
	}
	return sign + short + "e" + strconv.FormatInt(exponent, 10)
}

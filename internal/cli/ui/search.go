package ui

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A match is a place in a state that has what was searched for.
type match struct {
	Where, Text, URL string
}

// mostMatches is how many a page shows.
const mostMatches = 200

// search returns the values and the names of members that contain a text, whatever its
// case, in their order; full says that there may be more. The address of each is the
// page on which the value stands first.
func search(data []byte, path []int, text string, part func(path []int, from int) string) (found []match, full bool) {
	s := searcher{data: data, text: strings.ToLower(text), part: part}
	s.value(0, path, "")
	return s.found, len(s.found) == mostMatches
}

type searcher struct {
	data  []byte
	text  string
	part  func(path []int, from int) string
	found []match
}

// value searches what the value at a place holds, and returns its end. It sees every
// byte once, however deep the state is.
func (s *searcher) value(at int, path []int, where string) (end int) {
	open := s.data[at]
	if open != '{' && open != '[' {
		return afterValue(s.data, at)
	}
	at = afterSpace(s.data, at+1)
	for i := 0; s.data[at] != '}' && s.data[at] != ']'; i++ {
		var name, step string
		if open == '{' {
			end := afterString(s.data, at)
			name = stringOf(s.data[at:end])
			step = cut(name, 100)
			if where != "" {
				step = " › " + step
			}
			at = afterSpace(s.data, afterSpace(s.data, end)+1)
		} else {
			step = "[" + strconv.Itoa(i) + "]"
		}
		excerpt, hit := s.excerpt(at)
		if hit || s.has(name) {
			s.found = append(s.found, match{cut(where+step, 1_000), excerpt, s.part(path, i)})
		}
		if len(s.found) == mostMatches {
			return len(s.data)
		}
		inner := where
		if len(inner) < 1_000 {
			inner += step
		}
		at = s.value(at, append(path[:len(path):len(path)], i), inner)
		if len(s.found) == mostMatches {
			return len(s.data)
		}
		if at = afterSpace(s.data, at); s.data[at] == ',' {
			at = afterSpace(s.data, at+1)
		}
	}
	return at + 1
}

func (s *searcher) has(text string) bool { return strings.Contains(strings.ToLower(text), s.text) }

// excerpt returns the value at a place as a match shows it, and whether it has the
// text; nothing of a container.
func (s *searcher) excerpt(at int) (text string, hit bool) {
	const before, most = 40, 200
	switch s.data[at] {
	case '{', '[':
		return "", false
	case '"':
		text = stringOf(s.data[at:afterString(s.data, at)])
	default:
		text = string(s.data[at:afterValue(s.data, at)])
	}
	place := strings.Index(strings.ToLower(text), s.text)
	if place > before && place < len(text) { // whose lower case may have another length
		for place -= before; place > 0 && !utf8.RuneStart(text[place]); place-- {
		}
		return "…" + cut(text[place:], most), true
	}
	return cut(text, most), place >= 0
}

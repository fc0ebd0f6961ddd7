package ui

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/go-ckpt/checkpoint"
)

// This file finds its way in JSON that is known to be valid, without making anything
// of it: a state may have millions of values, of which a page shows a few.

// A jsonMember is a member of an object, or an element of an array.
type jsonMember struct {
	name  []byte // with its quotes; nil of an element
	value []byte
}

// members yields what an object or an array holds, by its index.
func members(data []byte) iter.Seq2[int, jsonMember] {
	return func(yield func(int, jsonMember) bool) {
		for i, at := 0, afterSpace(data, 1); data[at] != '}' && data[at] != ']'; i++ {
			var m jsonMember
			if data[0] == '{' {
				end := afterValue(data, at)
				m.name = data[at:end]
				at = afterSpace(data, afterSpace(data, end)+1) // behind the colon
			}
			end := afterValue(data, at)
			m.value = data[at:end]
			if !yield(i, m) {
				return
			}
			if at = afterSpace(data, end); data[at] == ',' {
				at = afterSpace(data, at+1)
			}
		}
	}
}

func afterSpace(data []byte, at int) int {
	for at < len(data) && (data[at] == ' ' || data[at] == '\n' || data[at] == '\t' || data[at] == '\r') {
		at++
	}
	return at
}

// afterValue returns the end of the value that begins at a place.
func afterValue(data []byte, at int) int {
	switch data[at] {
	case '"':
		return afterString(data, at)
	case '{', '[':
		for depth := 0; ; {
			switch data[at] {
			case '"':
				at = afterString(data, at)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return at + 1
				}
			}
			at++
		}
	}
	for at < len(data) && !strings.ContainsRune(",]} \n\t\r", rune(data[at])) {
		at++
	}
	return at
}

func afterString(data []byte, at int) int {
	for at++; data[at] != '"'; at++ {
		if data[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// find returns the value at a path: the indexes of the members to go through.
func find(data []byte, path []int) ([]byte, string, error) {
	at, name := afterSpace(data, 0), "."
	for _, index := range path {
		open := data[at]
		if open != '{' && open != '[' {
			return nil, "", errNoPart
		}
		at = afterSpace(data, at+1)
		for i := 0; ; i++ {
			if data[at] == '}' || data[at] == ']' {
				return nil, "", errNoPart
			}
			step := "[" + strconv.Itoa(i) + "]"
			if open == '{' {
				end := afterValue(data, at)
				if i == index {
					step = " › " + cut(stringOf(data[at:end]), 100)
				}
				at = afterSpace(data, afterSpace(data, end)+1)
			}
			if i == index {
				name += step
				break
			}
			if at = afterSpace(data, afterValue(data, at)); data[at] == ',' {
				at = afterSpace(data, at+1)
			}
		}
	}
	return data[at:afterValue(data, at)], name, nil
}

var errNoPart = fmt.Errorf("this part of the state is %w", checkpoint.ErrNotFound)

// parsePath reads a path of an address: indexes with dots between them.
func parsePath(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var path []int
	for part := range strings.SplitSeq(text, ".") {
		index, err := strconv.Atoi(part)
		if err != nil || index < 0 || len(path) == deepestPath {
			return nil, fmt.Errorf("%w at: want numbers with dots between them", checkpoint.ErrInvalid)
		}
		path = append(path, index)
	}
	return path, nil
}

// deepestPath is more than the levels that JSON of a store can have.
const deepestPath = 10_000

func formatPath(path []int) string {
	var b strings.Builder
	for i, index := range path {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.Itoa(index))
	}
	return b.String()
}

package memory

import (
	"iter"
	"slices"
	"strings"
)

// sorted is a set of strings in byte order. They lie in blocks, so that adding
// and removing one moves a block's worth of memory, not the whole set.
type sorted struct {
	blocks [][]string // none is empty; all strings of a block are less than those of the next
}

// maxBlock is the length at which a block is split in two.
const maxBlock = 512

// find returns the block where s is or belongs, and its place there.
func (x *sorted) find(s string) (block, place int, found bool) {
	block, found = slices.BinarySearchFunc(x.blocks, s, func(b []string, s string) int {
		return strings.Compare(b[0], s)
	})
	if found {
		return block, 0, true
	}
	if block == 0 { // less than everything
		return 0, 0, false
	}
	block-- // the last block that starts with less than s
	place, found = slices.BinarySearch(x.blocks[block], s)
	return block, place, found
}

// insert adds s, which must not be in the set.
func (x *sorted) insert(s string) {
	if len(x.blocks) == 0 {
		x.blocks = [][]string{{s}}
		return
	}
	i, place, _ := x.find(s)
	b := slices.Insert(x.blocks[i], place, s)
	x.blocks[i] = b
	if len(b) > maxBlock {
		half := len(b) / 2
		x.blocks[i] = slices.Clone(b[:half])
		x.blocks = slices.Insert(x.blocks, i+1, slices.Clone(b[half:]))
	}
}

// remove takes s out of the set if it is there.
func (x *sorted) remove(s string) {
	i, place, found := x.find(s)
	if !found {
		return
	}
	x.blocks[i] = slices.Delete(x.blocks[i], place, place+1)
	if len(x.blocks[i]) == 0 {
		x.blocks = slices.Delete(x.blocks, i, i+1)
	}
}

// from yields the strings that are not less than s, in order. The set must not
// change meanwhile.
func (x *sorted) from(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		first, place, _ := x.find(s)
		for i := first; i < len(x.blocks); i++ {
			for _, name := range x.blocks[i][place:] {
				if !yield(name) {
					return
				}
			}
			place = 0
		}
	}
}

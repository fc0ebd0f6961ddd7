package jsondiff

import (
	"slices"
)

// A pair says that an element of the new array is what became of one of the old.
type pair struct{ old, new int }

// The bounds of the cost of an alignment.
const (
	window   = 64 // elements of each array that are compared all with all
	maxDepth = 8  // times that a stretch is split at landmarks
)

// align pairs the elements of two arrays, in order: equal ones first, and between
// them those that are alike.
//
// It is a patience diff: elements that occur exactly once in both arrays are
// landmarks; the longest series of them that is in order splits the arrays into
// stretches, which are aligned in the same way, and where there is no landmark by
// comparing all with all.
func align(old, new []*node) []pair {
	a := alignment{old: old, new: new}
	a.stretch(0, len(old), 0, len(new), 0)
	return a.pairs
}

type alignment struct {
	old, new []*node
	pairs    []pair
}

func (a *alignment) equal(i, j int) bool { return a.old[i].sum == a.new[j].sum }

// stretch aligns old[i:iEnd] with new[j:jEnd].
func (a *alignment) stretch(i, iEnd, j, jEnd, depth int) {
	for i < iEnd && j < jEnd && a.equal(i, j) {
		a.pairs = append(a.pairs, pair{i, j})
		i, j = i+1, j+1
	}
	var tail []pair
	for i < iEnd && j < jEnd && a.equal(iEnd-1, jEnd-1) {
		iEnd, jEnd = iEnd-1, jEnd-1
		tail = append(tail, pair{iEnd, jEnd})
	}
	if i < iEnd && j < jEnd {
		var marks []pair
		if depth < maxDepth {
			marks = a.landmarks(i, iEnd, j, jEnd)
		}
		for _, m := range marks {
			a.stretch(i, m.old, j, m.new, depth+1)
			a.pairs = append(a.pairs, m)
			i, j = m.old+1, m.new+1
		}
		if len(marks) > 0 {
			a.stretch(i, iEnd, j, jEnd, depth+1)
		} else {
			a.gap(i, iEnd, j, jEnd)
		}
	}
	slices.Reverse(tail)
	a.pairs = append(a.pairs, tail...)
}

// landmarks returns the longest series of pairs, ascending in both arrays, of
// elements that occur once in each stretch.
func (a *alignment) landmarks(i, iEnd, j, jEnd int) []pair {
	type place struct{ olds, news, old, new int }
	places := make(map[uint64]*place, iEnd-i)
	for k := i; k < iEnd; k++ {
		p := places[a.old[k].sum]
		if p == nil {
			p = &place{}
			places[a.old[k].sum] = p
		}
		p.olds, p.old = p.olds+1, k
	}
	for k := j; k < jEnd; k++ {
		if p := places[a.new[k].sum]; p != nil {
			p.news, p.new = p.news+1, k
		}
	}
	var unique []pair // ascending in new
	for k := j; k < jEnd; k++ {
		if p := places[a.new[k].sum]; p != nil && p.olds == 1 && p.news == 1 {
			unique = append(unique, pair{p.old, k})
		}
	}
	return longestAscending(unique)
}

// longestAscending returns the longest subsequence that ascends in old, by
// patience sorting.
func longestAscending(pairs []pair) []pair {
	var piles []int // index of each pile's top
	before := make([]int, len(pairs))
	for i, p := range pairs {
		n, _ := slices.BinarySearchFunc(piles, p.old, func(top, old int) int { return pairs[top].old - old })
		before[i] = -1
		if n > 0 {
			before[i] = piles[n-1]
		}
		if n == len(piles) {
			piles = append(piles, i)
		} else {
			piles[n] = i
		}
	}
	if len(piles) == 0 {
		return nil
	}
	series := make([]pair, 0, len(piles))
	for i := piles[len(piles)-1]; i >= 0; i = before[i] {
		series = append(series, pairs[i])
	}
	slices.Reverse(series)
	return series
}

// gap aligns a stretch without landmarks, a window at a time: of what a window
// pairs its first half is taken, unless the window holds all that is left.
func (a *alignment) gap(i, iEnd, j, jEnd int) {
	for i < iEnd && j < jEnd {
		iw, jw := min(iEnd, i+window), min(jEnd, j+window)
		found := a.best(i, iw, j, jw)
		if iw == iEnd && jw == jEnd {
			a.pairs = append(a.pairs, found...)
			return
		}
		nextI, nextJ := i, j
		for _, p := range found {
			if p.old-i >= window/2 || p.new-j >= window/2 {
				break
			}
			a.pairs = append(a.pairs, p)
			nextI, nextJ = p.old+1, p.new+1
		}
		if nextI == i && nextJ == j {
			nextI, nextJ = min(iw, i+window/2), min(jw, j+window/2)
		}
		i, j = nextI, nextJ
	}
}

// best returns the pairs of a window whose likenesses have the greatest sum.
func (a *alignment) best(i, iEnd, j, jEnd int) []pair {
	m, n := iEnd-i, jEnd-j
	// sums[x][y] is the best of old[i+x:iEnd] with new[j+y:jEnd].
	sums := make([]int32, (m+1)*(n+1))
	alike := make([]int32, m*n)
	for x := m - 1; x >= 0; x-- {
		for y := n - 1; y >= 0; y-- {
			likeness := likeness(a.old[i+x], a.new[j+y])
			alike[x*n+y] = likeness
			best := max(sums[(x+1)*(n+1)+y], sums[x*(n+1)+y+1])
			if likeness > 0 {
				best = max(best, likeness+sums[(x+1)*(n+1)+y+1])
			}
			sums[x*(n+1)+y] = best
		}
	}
	var pairs []pair
	for x, y := 0, 0; x < m && y < n; {
		switch sum := sums[x*(n+1)+y]; {
		case alike[x*n+y] > 0 && sum == alike[x*n+y]+sums[(x+1)*(n+1)+y+1]:
			pairs = append(pairs, pair{i + x, j + y})
			x, y = x+1, y+1
		case sum == sums[(x+1)*(n+1)+y]:
			x++
		default:
			y++
		}
	}
	return pairs
}

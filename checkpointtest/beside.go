package checkpointtest

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// beside writes again and again while readers read, until a write has ended during
// enough reads of each of them, and returns the number of writes. After the last write
// each reads once more. What returns false ends its part; it may call Errorf and not
// Fatalf.
func (t *trial) beside(write func(n int) bool, reads ...func() bool) int {
	return t.besideFor(0, write, reads...)
}

// besideFor is beside that goes on for a while at least.
func (t *trial) besideFor(while time.Duration, write func(n int) bool, reads ...func() bool) int {
	const atMost = 10_000
	enough := int64(t.often(25, 8))
	if while > 0 {
		enough = 5 // readers that are slow have had their time
	}
	var over atomic.Bool
	var ended atomic.Int64 // writes
	counts := make([]atomic.Int64, len(reads))
	writes, began := 0, time.Now()
	t.together(1+len(reads), func(i int) {
		if i > 0 {
			defer counts[i-1].Store(enough)
			for last := false; !last; {
				last = over.Load()
				before := ended.Load()
				if !reads[i-1]() {
					return
				}
				if ended.Load() != before {
					counts[i-1].Add(1)
				}
			}
			return
		}
		defer over.Store(true)
		waiting := func(c *atomic.Int64) bool { return c.Load() < enough }
		for int64(writes) < enough || writes < atMost && (time.Since(began) < while || slices.ContainsFunc(pointers(counts), waiting)) {
			if !write(writes) {
				return
			}
			writes++
			ended.Add(1)
		}
	})
	return writes
}

func pointers[T any](s []T) []*T {
	ps := make([]*T, len(s))
	for i := range s {
		ps[i] = &s[i]
	}
	return ps
}

// rounds are repetitions of a race. A busy machine may run the callers one after another:
// that was none, and another round makes up for it, five times as many at most.
type rounds struct{ enough, raced, begun int }

func (t *trial) rounds(long, short int) *rounds { return &rounds{enough: t.often(long, short)} }

// next reports whether another round is due.
func (r *rounds) next() bool {
	r.begun++
	return r.raced < r.enough && r.begun <= 5*r.enough
}

// count notes whether a round was a race.
func (r *rounds) count(raced bool) {
	if raced {
		r.raced++
	}
}

// together runs f(0) to f(n-1) at once and waits for all of them. They may
// call Errorf and not Fatalf. It reports whether two of them were under way at the same
// time.
func (t *trial) together(n int, f func(i int)) (raced bool) {
	var underway atomic.Int64
	var met atomic.Bool
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			defer t.recovered()
			if underway.Add(1) > 1 {
				met.Store(true)
			}
			defer underway.Add(-1)
			f(i)
		})
	}
	close(start)
	wg.Wait()
	return met.Load()
}

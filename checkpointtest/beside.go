package checkpointtest

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// beside writes again and again while readers read, until each of them has read
// often enough, and returns the number of writes. After the last write each
// reads once more. What returns false ends its part; it may call Errorf and not
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
	counts := make([]atomic.Int64, len(reads))
	writes, began := 0, time.Now()
	t.together(1+len(reads), func(i int) {
		if i > 0 {
			defer counts[i-1].Store(enough)
			for last := false; !last; counts[i-1].Add(1) {
				last = over.Load()
				if !reads[i-1]() {
					return
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

// together runs f(0) to f(n-1) at once and waits for all of them. They may
// call Errorf and not Fatalf.
func (t *trial) together(n int, f func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			defer t.recovered()
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

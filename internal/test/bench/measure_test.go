package bench

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// An operation is one thing that is measured: what a driver does, or the floor
// beneath it. i counts the calls, so that each caller can use keys of its own.
type operation func(ctx context.Context, caller, i int) error

// A result compares an operation with its floor.
type result struct {
	Name    string
	Size    int
	Callers int
	Calls   int           // of each of the two
	Ours    time.Duration // median of a call; with several callers, time per call of all
	Floor   time.Duration // 0 where there is none
	Target  float64       // of the ratio; 0 where none was set
}

func (r result) ratio() float64 {
	if r.Floor == 0 {
		return 0
	}
	return float64(r.Ours) / float64(r.Floor)
}

// compare measures the two alternately for about the given time, so that what
// else the machine does hits both.
func compare(t *testing.T, name string, size, callers int, length time.Duration, ours, floor operation) result {
	t.Helper()
	r := result{Name: name, Size: size, Callers: callers}
	if callers == 1 {
		r.Ours, r.Floor, r.Calls = alternate(t, length, ours, floor)
	} else {
		r.Ours, r.Floor, r.Calls = blocks(t, callers, length, ours, floor)
	}
	t.Logf("%-28s %7d bytes, %d callers: %10v, floor %10v, ratio %.2f (%d calls)", name, size, callers, r.Ours, r.Floor, r.ratio(), r.Calls)
	return r
}

// alternate calls one after the other and returns the medians of a call.
func alternate(t *testing.T, length time.Duration, ours, floor operation) (a, b time.Duration, calls int) {
	t.Helper()
	var as, bs []time.Duration
	end := time.Now().Add(length)
	for i := 0; time.Now().Before(end) || i < 20; i++ {
		// Which of the two goes first changes, since the second finds the caches warm.
		for turn := range 2 {
			if (turn == 0) == (i%2 == 0) {
				as = append(as, timed(t, ours, i))
			} else if floor != nil {
				bs = append(bs, timed(t, floor, i))
			}
		}
	}
	warm := len(as) / 10
	return median(as[warm:]), median(bs[min(warm, len(bs)):]), len(as) - warm
}

func timed(t *testing.T, op operation, i int) time.Duration {
	t.Helper()
	began := time.Now()
	if err := op(t.Context(), 0, i); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// blocks lets all callers work on one of the two for a while, then on the other,
// and returns the medians over the blocks of the time per call.
func blocks(t *testing.T, callers int, length time.Duration, ours, floor operation) (a, b time.Duration, calls int) {
	t.Helper()
	const rounds = 8
	var as, bs []time.Duration
	next := 0
	block := func(op operation) time.Duration {
		if op == nil {
			return 0
		}
		var done atomic.Int64
		var wg sync.WaitGroup
		began := time.Now()
		for c := range callers {
			wg.Go(func() {
				for i := next; time.Since(began) < length/(2*rounds); i++ {
					if err := op(t.Context(), c, i); err != nil {
						t.Error(err)
						return
					}
					done.Add(1)
				}
			})
		}
		wg.Wait()
		next += 1_000_000
		calls += int(done.Load())
		return time.Since(began) / time.Duration(max(1, done.Load()))
	}
	block(ours)
	block(floor)
	calls = 0
	for range rounds {
		as = append(as, block(ours))
		bs = append(bs, block(floor))
	}
	return median(as), median(bs), calls / 2
}

func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2]
}

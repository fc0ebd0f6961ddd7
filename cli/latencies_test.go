package cli

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestLatencies(t *testing.T) {
	t.Parallel()
	var one, two latencies
	var all []time.Duration
	for i := range 20_000 {
		d := time.Duration(rand.ExpFloat64() * float64(time.Millisecond) * float64(1+i%50))
		all = append(all, d)
		if i%2 == 0 {
			one.add(d)
		} else {
			two.add(d)
		}
	}
	one.merge(&two)
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.95, 0.99, 1} {
		want := all[min(int(q*float64(len(all))), len(all)-1)]
		if got := one.quantile(q); got < want || got > want+want/32+1 {
			t.Errorf("quantile(%v) = %v, want %v or up to 1/32 more", q, got, want)
		}
	}
	if one.count != int64(len(all)) || one.longest != all[len(all)-1] {
		t.Errorf("%d durations up to %v, want %d up to %v", one.count, one.longest, len(all), all[len(all)-1])
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	last := -1
	for d := time.Duration(0); d < 1<<62; d += d/100 + 1 {
		b := bucketOf(d)
		if b < last || d > upper(b) || b > 0 && d <= upper(b-1) {
			t.Fatalf("%d ns is in bucket %d, which ends at %d and follows one that ends at %d", d, b, upper(b), upper(max(b-1, 0)))
		}
		last = b
	}
}

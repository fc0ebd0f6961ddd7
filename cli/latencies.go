package cli

import (
	"math/bits"
	"time"
)

// Latencies count durations in buckets whose width is at most 1/64 of what they
// hold, so that any number of them takes the same memory.
type latencies struct {
	buckets [64 * precision]int64
	count   int64
	longest time.Duration
}

// precision is how many buckets a doubling of the duration has.
const precision = 64

func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < precision {
		return int(n)
	}
	shift := bits.Len64(n) - bits.Len64(precision) // leaves precision to 2*precision-1
	return (shift+1)*precision + int(n>>shift) - precision
}

// upper returns the greatest duration of a bucket.
func upper(bucket int) time.Duration {
	if bucket < precision {
		return time.Duration(bucket)
	}
	shift := bucket/precision - 1
	return time.Duration(uint64(bucket%precision+precision+1)<<shift - 1)
}

func (l *latencies) add(d time.Duration) {
	l.buckets[bucketOf(d)]++
	l.count++
	l.longest = max(l.longest, d)
}

func (l *latencies) merge(other *latencies) {
	for i, n := range other.buckets {
		l.buckets[i] += n
	}
	l.count += other.count
	l.longest = max(l.longest, other.longest)
}

// quantile returns a duration that a share q of all does not exceed.
func (l *latencies) quantile(q float64) time.Duration {
	rank := int64(q * float64(l.count))
	for i, n := range l.buckets {
		if rank -= n; rank < 0 {
			return min(upper(i), l.longest)
		}
	}
	return l.longest
}

package checkpointtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// errorsBehindWriters lines up writers and makes saves behind them whose contexts end:
// they must not wait for their turn to find that out. Where saves are so quick that the
// line would be gone in a moment, taken one at a time, there is nothing to wait for; nor
// is there where they take no longer than reading and writing memory does, so that the
// line is long only for a machine that does other things besides.
//
// What is late may be the processor, and no lock: then a goroutine that only sleeps is
// late as well, and nothing is known.
func errorsBehindWriters(t *trial) {
	const (
		writers  = 100
		line     = 2500 * time.Millisecond // all writers, one after the other, at least
		inMemory = 20                      // times what it takes to copy and hash the payload, at most
		late     = time.Second             // rule 11
		clearly  = 10                      // times as late as whoever only sleeps
		decisive = 3                       // attempts, each of which was clearly late
		attempts = 6
		alone    = 16 // saves that are timed: the quickest had the processor for itself
	)
	b := t.open()
	for _, size := range []int{64 << 10, 256 << 10, 1 << 20} {
		payload := randomBytes(size)
		quickest, copied := time.Hour, time.Hour
		for n := 0; n < alone && quickest >= line/writers; n++ {
			began := time.Now()
			t.save(b, t.filled("writer-0", payload))
			quickest = min(quickest, time.Since(began))
			began = time.Now()
			sha256.Sum256(slices.Clone(payload))
			copied = min(copied, time.Since(began))
		}
		if quickest < max(line/writers, inMemory*copied) {
			continue
		}
		blamed := 0
		for range attempts {
			over, sleeper := t.behind(b, writers, payload)
			if over <= late {
				return
			}
			if over < clearly*sleeper {
				continue
			}
			if blamed++; blamed == decisive {
				t.Fatalf("saves behind %d others, each of which takes %v when it is alone, returned up to %v after their contexts had ended, want at most %v: they wait for a writer's lock and not for the context",
					writers, quickest.Round(time.Microsecond), over.Round(time.Millisecond), late)
			}
		}
		t.note("not tried: this machine is too busy to tell a lock that is waited for from a processor that is")
		return
	}
	t.note("not tried: the database is too quick for a line of saves that is longer than a save may be late")
}

// filled is a request with a payload of bytes.
func (t *trial) filled(thread string, payload []byte) driver.SaveRequest {
	req := t.request(thread)
	req.Encoding, req.Payload = "bytes", payload
	return req
}

// behind makes saves behind that many writers and returns how long after the end of
// its context the last one came back, and how late somebody was meanwhile who only
// sleeps. The writers that wait then are called off.
func (t *trial) behind(b *handle, writers int, payload []byte) (over, sleeper time.Duration) {
	const waiters, patient, nap = 3, 50 * time.Millisecond, 5 * time.Millisecond
	ctx, callOff := context.WithCancel(t.ctx)
	defer callOff()
	var lined, waiting sync.WaitGroup
	lined.Add(writers)
	waiting.Add(waiters)
	overs := make([]time.Duration, waiters)
	t.together(writers+waiters+2, func(i int) {
		switch {
		case i < writers:
			req := t.filled(fmt.Sprint("writer-", i%50), payload)
			b.writes(req.Key, req.ExpiresAt)
			lined.Done()
			b.inner.Save(ctx, req) // whatever comes of it, and not among the calls of a failure
		case i < writers+waiters:
			defer waiting.Done()
			lined.Wait()
			ctx, cancel := context.WithTimeout(ctx, patient)
			defer cancel()
			ends, _ := ctx.Deadline()
			_, err := b.Save(ctx, t.filled(fmt.Sprint("waits-", i-writers), payload))
			overs[i-writers] = time.Since(ends)
			if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("Save whose context ended behind others: error %v, want none or one that matches context.DeadlineExceeded", err)
			}
		case i == writers+waiters:
			waiting.Wait()
			callOff()
		default:
			for ctx.Err() == nil {
				began := time.Now()
				time.Sleep(nap)
				sleeper = max(sleeper, time.Since(began)-nap)
			}
		}
	})
	return slices.Max(overs), sleeper
}

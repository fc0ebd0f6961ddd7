package checkpointtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// errorsBehindWriters lines up writers and makes saves behind them whose contexts end:
// they must not wait for their turn to find that out. Where saves are so quick that the
// line would be gone in a moment, taken one at a time, there is nothing to wait for: what
// is late then is the processor. How long a save takes is only known roughly: on a busy
// machine it may be far less than what was measured, so that the line is as long as it may
// be and not as long as it seems to need.
func errorsBehindWriters(t *trial) {
	const (
		writers  = 100
		line     = 2500 * time.Millisecond // all writers, one after the other, at least
		late     = time.Second             // rule 11
		attempts = 4                       // a busy machine is late now and then, and a lock each time
	)
	b := t.open()
	for _, size := range []int{64 << 10, 256 << 10, 1 << 20} {
		payload := randomBytes(size)
		quickest := time.Hour
		for range 4 {
			began := time.Now()
			t.save(b, t.filled("writer-0", payload))
			quickest = min(quickest, time.Since(began))
		}
		if quickest < line/writers {
			continue
		}
		var worst time.Duration
		for range attempts {
			if worst = t.behind(b, writers, payload); worst <= late {
				return
			}
		}
		t.Fatalf("saves behind %d others, each of which takes %v when it is alone, returned up to %v after their contexts had ended, want at most %v: they wait for a writer's lock and not for the context",
			writers, quickest.Round(time.Microsecond), worst.Round(time.Millisecond), late)
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
// its context the last one came back. The writers that wait then are called off.
func (t *trial) behind(b *handle, writers int, payload []byte) time.Duration {
	const waiters, patient = 3, 50 * time.Millisecond
	ctx, callOff := context.WithCancel(t.ctx)
	defer callOff()
	var lined, waiting sync.WaitGroup
	lined.Add(writers)
	waiting.Add(waiters)
	over := make([]time.Duration, waiters)
	t.together(writers+waiters+1, func(i int) {
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
			over[i-writers] = time.Since(ends)
			if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("Save whose context ended behind others: error %v, want none or one that matches context.DeadlineExceeded", err)
			}
		default:
			waiting.Wait()
			callOff()
		}
	})
	return max(over[0], over[1], over[2])
}

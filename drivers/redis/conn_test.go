package redis

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestSlowLine: what is sent and what comes may take longer than a server may be silent,
// as long as some of it moves. It ends with the context.
func TestSlowLine(t *testing.T) {
	const size = 16 << 20
	for _, test := range []struct {
		name  string
		piece time.Duration // for each 256 KB
		limit time.Duration // of the context; 0 for none
		takes time.Duration
		err   error
	}{
		{"slow", answerWithin / 2, 0, 2 * size / largestWrite * answerWithin / 2, nil},
		{"stuck", 2 * answerWithin, 0, answerWithin, os.ErrDeadlineExceeded},
		{"deadline", answerWithin / 2, 3 * answerWithin, 3 * answerWithin, os.ErrDeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				over := make(chan struct{})
				defer close(over)
				pause := func() bool {
					select {
					case <-time.After(test.piece):
						return true
					case <-over:
						return false
					}
				}
				go func() { // a server that sends back what it gets, slowly
					defer theirs.Close()
					var got bytes.Buffer
					for got.Len() < size && pause() {
						if _, err := io.CopyN(&got, theirs, largestWrite); err != nil {
							return
						}
					}
					for got.Len() > 0 && pause() {
						if _, err := theirs.Write(got.Next(largestWrite)); err != nil {
							return
						}
					}
				}()
				cs := newCalls()
				moved := 0
				cs.moved = func() { moved++ }
				c := cs.wrap(ours, nil, false)
				defer c.Close()
				ctx := t.Context()
				if test.limit > 0 {
					limited, cancel := context.WithTimeout(ctx, test.limit)
					defer cancel()
					ctx = limited
				}
				began := time.Now()
				err := cs.run(ctx, answerWithin, func(ctx context.Context) error {
					// As go-redis does it.
					until, _ := ctx.Deadline()
					c.SetWriteDeadline(until)
					if _, err := c.Write(make([]byte, size)); err != nil {
						return err
					}
					until, _ = ctx.Deadline()
					c.SetReadDeadline(until)
					_, err := io.ReadFull(c, make([]byte, size))
					return err
				})
				if took := time.Since(began); !errors.Is(err, test.err) || took < test.takes || took > test.takes+answerWithin {
					t.Errorf("after %v: %v, want %v after %v", took, err, test.err, test.takes)
				}
				if (moved > 0) != (test.name != "stuck") {
					t.Errorf("the queue was told %d times that something moves", moved)
				}
			})
		})
	}
}

// TestSlowLoad loads a state that takes longer to come than the server may be silent.
func TestSlowLoad(t *testing.T) {
	t.Parallel()
	b, proxy := through(t, testserver.Redis(t), "?read_timeout=1s&max_retries=-1")
	key := driver.Key{Namespace: namespace(), Thread: "thread"}
	state := bytes.Repeat([]byte("state "), 200_000)
	mustSave(t, b, request(key, state))
	proxy.Delay(100 * time.Millisecond) // for each 64 KB
	began := time.Now()
	if cp := mustLoad(t, b, key); !bytes.Equal(cp.Payload, state) {
		t.Errorf("Load = %d bytes", len(cp.Payload))
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("the line was too fast to show anything: %v", took)
	}
}

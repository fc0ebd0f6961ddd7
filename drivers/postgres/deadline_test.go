package postgres

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// A slowConn takes a while for each write, and takes a part of it alone.
type slowConn struct {
	net.Conn
	largest int           // bytes of one write
	takes   time.Duration // for each
	ended   context.Context
	end     context.CancelFunc
}

func (c *slowConn) Write(p []byte) (int, error) {
	c.largest = max(c.largest, len(p))
	select {
	case <-time.After(c.takes):
		return len(p), nil
	case <-c.ended.Done():
		return 0, context.DeadlineExceeded
	}
}

func (c *slowConn) SetDeadline(time.Time) error {
	c.end()
	return nil
}

// TestSlowWrite: a large state may take long to be sent, as long as some of it leaves;
// a network that takes nothing does not make a call wait.
func TestSlowWrite(t *testing.T) {
	for _, test := range []struct {
		name  string
		takes time.Duration
		sent  bool
	}{
		{"slow", replyPatience / 2, true},
		{"stuck", 2 * replyPatience, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const size = 16 << 20
				c := &slowConn{takes: test.takes}
				c.ended, c.end = context.WithCancel(t.Context())
				defer c.end()
				w := &wire{Conn: c}
				began := time.Now()
				w.begin(&call{Context: t.Context(), until: began.Add(replyPatience)})
				n, err := w.Write(make([]byte, size))
				took := time.Since(began)
				if usable := w.done(); usable != test.sent || (err == nil) != test.sent || (n == size) != test.sent {
					t.Errorf("after %v: %d bytes written, error %v, usable %v", took, n, err, usable)
				}
				if limit := replyPatience + cancelledReply; !test.sent && took > limit {
					t.Errorf("a stuck write took %v, want at most %v", took, limit)
				}
				if c.largest > largestWrite {
					t.Errorf("one write has %d bytes, want at most %d", c.largest, largestWrite)
				}
			})
		})
	}
}

package faultproxy_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
)

// patience bounds what must happen; moment is how long a test watches that
// something does not. Neither can make a correct proxy fail.
const (
	patience = 30 * time.Second
	moment   = 50 * time.Millisecond
)

// A server answers every line with "ok LINE", and remembers the lines.
type server struct {
	listener net.Listener
	mu       sync.Mutex
	lines    []string
	arrived  chan string
}

func startServer(t *testing.T) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{listener: l, arrived: make(chan string, 1000)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *server) serve(c net.Conn) {
	defer c.Close()
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		s.mu.Lock()
		s.lines = append(s.lines, lines.Text())
		s.mu.Unlock()
		s.arrived <- lines.Text()
		fmt.Fprintf(c, "ok %s\n", lines.Text())
	}
}

func (s *server) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines...)
}

// A client sends lines and waits for their replies.
type client struct {
	net.Conn
	replies *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &client{c, bufio.NewReader(c)}
}

func (c *client) send(line string) { io.WriteString(c, line+"\n") }

func (c *client) receive() (string, error) {
	line, err := c.replies.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

func (c *client) ask(line string) (string, error) {
	c.send(line)
	return c.receive()
}

func (c *client) mustAsk(t *testing.T, line string) {
	t.Helper()
	if got, err := c.ask(line); err != nil || got != "ok "+line {
		t.Fatalf("asking %.20q: got %.20q, %v", line, got, err)
	}
}

// mustBeCut checks that the connection ends with an error, not an orderly end
// that a client could take for a complete reply.
func (c *client) mustBeCut(t *testing.T) {
	t.Helper()
	got, err := c.receive()
	if got != "" || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("on a connection that must be cut: got %q, %v", got, err)
	}
}

func newMustBeCut(t *testing.T, p *faultproxy.Proxy) {
	t.Helper()
	if c, err := net.Dial("tcp", p.Addr()); err == nil {
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		(&client{c, bufio.NewReader(c)}).mustBeCut(t)
	}
}

// mustHang checks that nothing arrives and that the connection stays open.
func (c *client) mustHang(t *testing.T) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(moment))
	defer c.SetReadDeadline(time.Now().Add(patience))
	if got, err := c.receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("in a black hole: got %q, %v", got, err)
	}
}

func (s *server) mustGet(t *testing.T, want ...string) {
	t.Helper()
	got := s.got()
	for end := time.Now().Add(10 * time.Second); len(got) < len(want) && time.Now().Before(end); got = s.got() {
		time.Sleep(time.Millisecond) // it is on its way
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("the server got %q, want %q", got, want)
	}
}

func TestCountsAreExact(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := faultproxy.New(t, s.listener.Addr().String())
	large := strings.Repeat("x", 3<<20)
	const workers, rounds = 4, 25
	var all sync.WaitGroup
	for range workers {
		c := dial(t, p.Addr())
		all.Go(func() {
			for i := range rounds {
				line := "small"
				if i%10 == 0 {
					line = large
				}
				if got, err := c.ask(line); err != nil || got != "ok "+line {
					t.Errorf("got %.20q, %v", got, err)
				}
			}
		})
	}
	all.Wait()
	size := int64(workers * (22*len("small\n") + 3*(len(large)+1)))
	want := faultproxy.Counts{
		Connections: workers,
		Requests:    workers * rounds,
		RoundTrips:  workers * rounds,
		ToServer:    size,
		ToClient:    size + workers*rounds*int64(len("ok ")),
	}
	if got := p.Counts(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := p.Counts().Sub(want); got != (faultproxy.Counts{}) {
		t.Errorf("difference: got %+v, want zero", got)
	}
}

func TestPipelineIsOneRequest(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := faultproxy.New(t, s.listener.Addr().String())
	c := dial(t, p.Addr())
	c.send("a\nb")
	for _, want := range []string{"ok a", "ok b"} {
		if got, err := c.receive(); got != want || err != nil {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	if got := p.Counts(); got.Requests != 1 || got.RoundTrips != 1 {
		t.Errorf("got %+v, want one request and one round trip", got)
	}
}

func TestBlackHole(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		hole    func(*faultproxy.Proxy, bool)
		arrives bool // while the hole is there
	}{
		{"both", (*faultproxy.Proxy).BlackHole, false},
		{"requests", (*faultproxy.Proxy).HoldRequests, false},
		{"replies", (*faultproxy.Proxy).HoldReplies, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			p := faultproxy.New(t, s.listener.Addr().String())
			old := dial(t, p.Addr())
			old.mustAsk(t, "before")
			test.hole(p, true)
			old.send("old")
			old.mustHang(t)
			want := []string{"before"}
			if test.arrives {
				want = append(want, "old")
			}
			s.mustGet(t, want...)
			young := dial(t, p.Addr())
			young.send("young")
			young.mustHang(t)

			test.hole(p, false)
			for c, want := range map[*client]string{old: "ok old", young: "ok young"} {
				if got, err := c.receive(); got != want || err != nil {
					t.Errorf("after the hole: got %q, %v, want %q", got, err, want)
				}
			}
		})
	}
}

func TestBlackHoleBlocksWrites(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, startServer(t).listener.Addr().String())
	c := dial(t, p.Addr())
	p.BlackHole(true)
	c.SetWriteDeadline(time.Now().Add(moment))
	piece := bytes.Repeat([]byte("x"), 1<<20)
	for sent := 0; ; sent++ {
		if _, err := c.Write(piece); errors.Is(err, os.ErrDeadlineExceeded) {
			return
		} else if err != nil || sent == 256 {
			t.Fatalf("after %d MiB: got %v, want a write that blocks", sent, err)
		}
	}
}

func TestRequestOfAClosedConnectionArrivesLate(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		t.Run(fmt.Sprintf("cut=%v", cut), func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			p := faultproxy.New(t, s.listener.Addr().String())
			c := dial(t, p.Addr())
			c.mustAsk(t, "before")
			p.BlackHole(true)
			c.send("late")
			c.mustHang(t)
			c.Close()
			if cut {
				p.Cut()
			}
			p.BlackHole(false)
			<-s.arrived
			if !cut {
				<-s.arrived
				s.mustGet(t, "before", "late")
				return
			}
			dial(t, p.Addr()).mustAsk(t, "after")
			s.mustGet(t, "before", "after")
		})
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, startServer(t).listener.Addr().String())
	a, b := dial(t, p.Addr()), dial(t, p.Addr())
	a.mustAsk(t, "a")
	b.mustAsk(t, "b")
	p.Cut()
	a.mustBeCut(t)
	b.mustBeCut(t)
	dial(t, p.Addr()).mustAsk(t, "c")
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, startServer(t).listener.Addr().String())
	c := dial(t, p.Addr())
	c.mustAsk(t, "before")
	p.Refuse(true)
	if c, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, %v, want a refused connection", c, err)
	}
	c.mustAsk(t, "an old connection")
	p.Refuse(false)
	dial(t, p.Addr()).mustAsk(t, "after")
}

func TestDropReply(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := faultproxy.New(t, s.listener.Addr().String())
	p.DropReply(2)
	for _, line := range []string{"a", "b"} {
		c := dial(t, p.Addr())
		c.send(line)
		c.mustBeCut(t)
	}
	dial(t, p.Addr()).mustAsk(t, "c")
	s.mustGet(t, "a", "b", "c")
}

func TestMatching(t *testing.T) {
	t.Parallel()
	poison := func(request []byte) bool { return bytes.Contains(request, []byte("poison")) }
	tests := []struct {
		name  string
		fault func(*faultproxy.Proxy)
		want  string
	}{
		{"drop reply", func(p *faultproxy.Proxy) { p.DropReplyMatching(1, poison) }, "a poison b c poison"},
		{"cut request", func(p *faultproxy.Proxy) { p.CutRequestMatching(1, poison) }, "a b c poison"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			p := faultproxy.New(t, s.listener.Addr().String())
			test.fault(p)
			c := dial(t, p.Addr())
			c.mustAsk(t, "a")
			c.send("poison")
			c.mustBeCut(t)
			c = dial(t, p.Addr())
			for _, line := range []string{"b", "c", "poison"} {
				c.mustAsk(t, line)
			}
			s.mustGet(t, strings.Fields(test.want)...)
		})
	}
}

func TestMatchSeesLaterPieces(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := faultproxy.New(t, s.listener.Addr().String())
	p.DropReplyMatching(1, func(request []byte) bool { return bytes.HasSuffix(request, []byte("end\n")) })
	c := dial(t, p.Addr())
	c.send(strings.Repeat("x", 500_000) + "end")
	c.mustBeCut(t)
	if got := s.got(); len(got) != 1 || len(got[0]) != 500_003 {
		t.Errorf("the server got %d lines, want the whole request", len(got))
	}
}

func TestCutRequest(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := faultproxy.New(t, s.listener.Addr().String())
	c := dial(t, p.Addr())
	c.mustAsk(t, "a")
	p.CutRequest(1)
	c.send("b")
	c.mustBeCut(t)
	dial(t, p.Addr()).mustAsk(t, "c")
	s.mustGet(t, "a", "c")
}

func TestCutAfter(t *testing.T) {
	t.Parallel()
	for k := range 4 {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			p := faultproxy.New(t, s.listener.Addr().String())
			c, other := dial(t, p.Addr()), dial(t, p.Addr())
			c.mustAsk(t, "c")
			other.mustAsk(t, "other")
			want := []string{"c", "other"}
			p.CutAfter(k)
			for i := range k {
				c.mustAsk(t, fmt.Sprint(i))
				want = append(want, fmt.Sprint(i))
			}
			c.send("lost")
			c.mustBeCut(t)
			other.mustBeCut(t)
			newMustBeCut(t, p)
			s.mustGet(t, want...)
			p.Heal()
			dial(t, p.Addr()).mustAsk(t, "healed")
		})
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, startServer(t).listener.Addr().String())
	c := dial(t, p.Addr())
	c.mustAsk(t, "fast")
	p.Delay(moment)
	start := time.Now()
	c.mustAsk(t, "slow")
	if took := time.Since(start); took < moment {
		t.Errorf("a round trip took %v, want at least %v", took, moment)
	}
	p.Delay(time.Hour)
	c.send("slower")
	c.mustHang(t) // and Close does not wait for it
}

func TestEndOfStream(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, startServer(t).listener.Addr().String())
	c := dial(t, p.Addr())
	c.send("last")
	c.Conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(c.replies); string(got) != "ok last\n" || err != nil {
		t.Errorf("after half a close: got %q, %v", got, err)
	}
}

func TestTargetDown(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	s.listener.Close()
	p := faultproxy.New(t, s.listener.Addr().String())
	newMustBeCut(t, p)
}

func TestClose(t *testing.T) {
	t.Parallel()
	p := faultproxy.New(t, startServer(t).listener.Addr().String())
	c := dial(t, p.Addr())
	c.mustAsk(t, "a")
	p.BlackHole(true)
	c.send("held")
	p.Close()
	p.Close()
	c.mustBeCut(t)
}

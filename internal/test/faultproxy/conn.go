package faultproxy

import (
	"io"
	"net"
	"sync"
	"time"
)

// A conn is a client's connection and its counterpart to the target.
type conn struct {
	proxy  *Proxy
	client *net.TCPConn
	done   chan struct{} // closed by cut
	once   sync.Once

	// Guarded by proxy.mu.
	server  *net.TCPConn // nil until dialled
	asking  bool         // the last byte seen came from the client
	verdict verdict      // on the present request
	request []byte       // its beginning, kept while a rule may want to match it
}

// cut resets both sides, so that neither mistakes it for an orderly end. It is
// called with the proxy locked.
func (c *conn) cut() {
	c.once.Do(func() {
		close(c.done)
		for _, side := range []*net.TCPConn{c.client, c.server} {
			if side != nil {
				side.SetLinger(0)
				side.Close()
			}
		}
	})
}

// serve forwards in both directions until both have ended.
func (c *conn) serve() {
	defer c.proxy.wait.Done()
	defer func() {
		c.proxy.mu.Lock()
		defer c.proxy.mu.Unlock()
		delete(c.proxy.conns, c)
		c.cut()
	}()
	if !c.hold(toServer) || !c.dial() {
		return
	}
	replies := make(chan struct{})
	go func() {
		defer close(replies)
		c.pump(toClient, c.client, c.server)
	}()
	c.pump(toServer, c.server, c.client)
	<-replies
}

func (c *conn) dial() bool {
	server, err := net.DialTimeout("tcp", c.proxy.target, 10*time.Second)
	if err != nil {
		return false
	}
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	select {
	case <-c.done:
		server.Close()
		return false
	default:
		c.server = server.(*net.TCPConn)
		return true
	}
}

type direction int

const (
	toServer direction = iota
	toClient
)

// pump forwards one direction until its source ends or the connection is cut.
func (c *conn) pump(to direction, dst, src *net.TCPConn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 && (!c.pass(to, buf[:n]) || !c.hold(to) || !c.write(to, dst, buf[:n])) {
			c.end(dst, net.ErrClosed)
			return
		}
		if err != nil {
			// The end of a stream is a packet like any other: it waits too.
			if c.hold(to) {
				c.end(dst, err)
			}
			return
		}
	}
}

// end passes on how the source ended: an orderly end closes this direction
// only, anything else cuts the connection.
func (c *conn) end(dst *net.TCPConn, err error) {
	if err == io.EOF {
		dst.CloseWrite()
		return
	}
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	c.cut()
}

func (c *conn) write(to direction, dst *net.TCPConn, piece []byte) bool {
	n, err := dst.Write(piece)
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	if to == toServer {
		c.proxy.counts.ToServer += int64(n)
	} else {
		c.proxy.counts.ToClient += int64(n)
	}
	return err == nil
}

// pass counts a piece and reports whether it may go on.
func (c *conn) pass(to direction, piece []byte) bool {
	p := c.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	if to == toClient {
		if c.asking {
			p.counts.RoundTrips++
		}
		c.asking = false
		return c.verdict == deliver
	}

	first := !c.asking
	if first {
		p.counts.Requests++
		c.asking, c.verdict, c.request = true, deliver, nil
		if p.faults.allowed == 0 {
			p.faults.exceeded = true
			p.cutLocked()
			return false
		}
		if p.faults.allowed > 0 {
			p.faults.allowed--
		}
	}
	if c.verdict == deliver && len(p.faults.rules) > 0 {
		c.request = append(c.request, piece[:min(len(piece), maxMatch-len(c.request))]...)
		c.verdict = p.faults.judge(c.request, first)
	}
	return c.verdict != cut
}

// hold waits while a black hole or a delay keeps what goes in a direction, and
// reports whether the connection is still there.
func (c *conn) hold(to direction) bool {
	p := c.proxy
	for waited := false; ; {
		p.mu.Lock()
		f, changed := p.faults, p.changed
		p.mu.Unlock()
		var late <-chan time.Time
		switch {
		case to == toServer && f.holdRequests, to == toClient && f.holdReplies:
		case to == toClient && f.delay > 0 && !waited:
			late, changed, waited = time.After(f.delay), nil, true
		default:
			select {
			case <-c.done:
				return false
			default:
				return true
			}
		}
		select {
		case <-changed:
		case <-late:
		case <-c.done:
			return false
		}
	}
}

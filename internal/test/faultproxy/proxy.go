// Package faultproxy is a TCP proxy that stands between a client and a server
// in tests and injects the faults of networks and crashes: black holes, lost
// replies, cut connections, refused ones, delay.
//
// It works on bytes and knows no protocol, so that it serves Redis, PostgreSQL
// and HTTP alike, and TLS too as long as no fault depends on the bytes.
//
// # Requests and round trips
//
// A request is a burst of bytes from the client on one connection: everything
// the client sends from the opening of the connection, or from the last byte
// the server sent, until the server sends again. Each connection is looked at
// alone. A round trip is a request that the server began to answer.
//
// For protocols in which the client waits for the whole reply before it sends
// on, the count is exact, however the kernel cuts the bytes into pieces: the
// proxy notes a reply before it passes the reply on, so the client's next byte
// is always noted after it. A pipeline of commands that is written before its
// first reply arrives is one request. Where a client sends on while a reply is
// still under way, the two may count as one. Greetings, authentication and TLS
// handshakes count like everything else: open the connection before counting.
package faultproxy

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/testserver/freeport"
)

// A Proxy forwards connections to one target. Its methods are safe for
// concurrent use; each acts on existing and future connections alike.
type Proxy struct {
	t      testing.TB
	target string
	addr   string
	wait   sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while refusing and after Close
	closed   bool
	conns    map[*conn]bool
	faults   faults
	changed  chan struct{} // closed and replaced whenever faults change
	counts   Counts
}

// Counts are what has passed through a proxy since it was made.
type Counts struct {
	Connections int64 // accepted from clients
	Requests    int64 // bursts of bytes from clients, see the package comment
	RoundTrips  int64 // requests that the server began to answer
	ToServer    int64 // bytes delivered to the server
	ToClient    int64 // bytes delivered to clients
}

// Sub returns what was counted since earlier.
func (c Counts) Sub(earlier Counts) Counts {
	return Counts{
		Connections: c.Connections - earlier.Connections,
		Requests:    c.Requests - earlier.Requests,
		RoundTrips:  c.RoundTrips - earlier.RoundTrips,
		ToServer:    c.ToServer - earlier.ToServer,
		ToClient:    c.ToClient - earlier.ToClient,
	}
}

// New starts a proxy in front of the TCP address target, on a free port of
// 127.0.0.1. It is closed when the test ends. The target need not be up: a
// client's connection is cut when the target cannot be reached.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := freeport.Listen()
	if err != nil {
		t.Fatalf("faultproxy: %v", err)
	}
	p := &Proxy{
		t:        t,
		target:   target,
		addr:     l.Addr().String(),
		listener: l,
		conns:    map[*conn]bool{},
		changed:  make(chan struct{}),
		faults:   faults{allowed: unlimited},
	}
	p.wait.Add(1)
	go p.accept(l)
	t.Cleanup(p.Close)
	return p
}

// Addr is the address clients connect to, as host:port.
func (p *Proxy) Addr() string { return p.addr }

// Counts returns what has passed so far.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// Close cuts every connection, stops listening, and returns when no goroutine
// of the proxy is left. It may be called more than once.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.stopListening()
	p.cutLocked()
	p.mu.Unlock()
	p.wait.Wait()
}

// Cut resets every connection. What the proxy held back is lost. New
// connections are served.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutLocked()
}

// Refuse makes the kernel refuse new connections, as if no server listened;
// existing ones live on. Refuse(false) ends it.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
	case on:
		p.stopListening()
	case p.listener == nil:
		p.listen()
	}
}

// listen takes the proxy's port again; another process looking for a free one
// may hold it for an instant.
func (p *Proxy) listen() {
	var err error
	for range 50 {
		var l net.Listener
		if l, err = net.Listen("tcp", p.addr); err == nil {
			p.listener = l
			p.wait.Add(1)
			go p.accept(l)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.t.Errorf("faultproxy: listening again: %v", err)
}

func (p *Proxy) stopListening() {
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
}

func (p *Proxy) cutLocked() {
	for c := range p.conns {
		c.cut()
	}
}

// accept serves one listener until it is closed.
func (p *Proxy) accept(l net.Listener) {
	defer p.wait.Done()
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		c := &conn{proxy: p, client: client.(*net.TCPConn), done: make(chan struct{})}
		p.mu.Lock()
		if p.closed || p.faults.allowed == 0 {
			p.faults.exceeded = true
			c.cut()
		} else {
			p.counts.Connections++
			p.conns[c] = true
			p.wait.Add(1)
			go c.serve()
		}
		p.mu.Unlock()
	}
}

package postgres

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// TestCanceller: the request to cancel a statement is not waited for longer than
// cancelPatience, and its connection stays open until the server closes it.
func TestCanceller(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c, err := new(dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(connectPatience)) // as lib/pq does
	began := time.Now()
	if _, err := io.Copy(io.Discard, c); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) > 4*cancelPatience {
		t.Errorf("waited %v for a server that does not answer, until the error %v", time.Since(began), err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	p := make([]byte, 2)
	_ = server.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if n, err := io.ReadFull(server, p); n != 1 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the server has read %q, then %v, want the request and an open connection", p[:n], err)
	}
	server.Close()
	for deadline := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := c.(*canceller).Conn.Write([]byte("x")); errors.Is(err, net.ErrClosed) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the connection is not closed a second after the server has closed it")
		}
	}
}

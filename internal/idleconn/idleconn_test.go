//go:build unix

package idleconn_test

import (
	"net"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/internal/idleconn"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server func(net.Conn)
		want   bool
	}{
		"Quiet":  {func(net.Conn) {}, false},
		"HungUp": {func(c net.Conn) { c.Close() }, true},
		"Reset":  {func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() }, true},
		"Speaks": {func(c net.Conn) { c.Write([]byte("bye")) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			client, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			check := idleconn.Check(client)
			if check() {
				t.Error("a fresh connection is stale")
			}
			c.server(server)
			for begin := time.Now(); check() != c.want; { // the kernel tells it in its own time
				if time.Since(begin) > 10*time.Second {
					t.Fatalf("stale is %v, want %v", !c.want, c.want)
				}
			}
		})
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if idleconn.Check(a) != nil {
		t.Error("a pipe can be looked at")
	}
}

package testserver

import (
	"errors"
	"net"
	"strconv"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/test/testserver/freeport"
)

func itoa(n int) string { return strconv.Itoa(n) }

func isPortTaken(err error) bool { return errors.Is(err, errPortTaken) }

// takePort listens on a port for the length of the test.
func takePort(t *testing.T) int {
	t.Helper()
	l, err := freeport.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func refused(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err == nil {
		c.Close()
	}
	return err != nil
}

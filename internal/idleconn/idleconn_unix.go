//go:build unix

package idleconn

import (
	"errors"
	"net"
	"syscall"
)

func check(c net.Conn) func() bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	var stale bool
	var peeked [1]byte
	peek := func(fd uintptr) bool { // Go's sockets never block
		_, _, err := syscall.Recvfrom(int(fd), peeked[:], syscall.MSG_PEEK)
		stale = !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR)
		return true
	}
	return func() bool {
		stale = true
		if err := raw.Read(peek); err != nil {
			return true
		}
		return stale
	}
}

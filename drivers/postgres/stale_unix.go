//go:build unix

package postgres

import (
	"errors"
	"net"
	"syscall"
)

// staleCheck returns a function that reports whether a connection on which
// nothing is under way can no longer be used: the server has hung up, or said
// something, which is mostly why it is about to. It reads nothing and does not
// wait. With it a connection that a restart, a failover or a firewall has ended
// is replaced before anything is sent over it, so that nobody needs to guess
// whether a save was applied.
func staleCheck(c net.Conn) func() bool {
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

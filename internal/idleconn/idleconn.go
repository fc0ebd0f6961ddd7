// Package idleconn looks whether an idle connection can still be used.
package idleconn

import "net"

// Check returns a function that reports whether a connection on which nothing
// is under way can no longer be used: the server has hung up, or said
// something, which is mostly why it is about to. The function reads nothing and
// does not wait. With it a connection that a restart, a failover or a firewall
// has ended is replaced before anything is sent over it, so that no save
// is left in doubt.
//
// Check returns nil where there is no way to look. The connection is one of the
// kernel's; of a TLS connection it is the one beneath. Its read deadline, if it
// has one, must not have passed.
func Check(c net.Conn) func() bool { return check(c) }

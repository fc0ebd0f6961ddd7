//go:build !unix

package postgres

import "net"

// staleCheck has no way to look here: a connection that the server has ended
// is noticed when it is used.
func staleCheck(net.Conn) func() bool { return nil }

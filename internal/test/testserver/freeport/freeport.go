// Package freeport finds TCP ports for tests.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports come from below the range that Linux, macOS and Windows give to
// outgoing connections (32768 and above). Thus no outgoing connection takes a
// port in the moment in which a server that must have it again is down.
const low, high = 10000, 32768

// Listen listens on a free port of 127.0.0.1.
func Listen() (net.Listener, error) {
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", low+rand.N(high-low))); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no free port on 127.0.0.1: %w", err)
}

// Get returns a port of 127.0.0.1 that was free a moment ago. Another
// process may take it first: try again with another port when that happens.
func Get() (int, error) {
	l, err := Listen()
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

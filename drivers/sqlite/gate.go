package sqlite

import "sync"

// A gate counts the operations under way, so that Close waits for nothing and
// the last operation still finds the database open.
type gate struct {
	release func() error  // called once: the gate is closed and nothing under way
	closed  chan struct{} // closed with the gate

	mu     sync.Mutex
	inside int
	shut   bool
}

func newGate(release func() error) *gate {
	return &gate{release: release, closed: make(chan struct{})}
}

// enter reports whether the gate is open. If so, leave has to follow.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return false
	}
	g.inside++
	return true
}

// stay enters once more for an operation that is inside already.
func (g *gate) stay() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside++
}

func (g *gate) leave() {
	g.mu.Lock()
	g.inside--
	last := g.shut && g.inside == 0
	g.mu.Unlock()
	if last {
		_ = g.release() // whoever closed the gate has gone
	}
}

// close shuts the gate. It returns what release returned, if nothing was under
// way.
func (g *gate) close() error {
	g.mu.Lock()
	first := !g.shut
	g.shut = true
	last := first && g.inside == 0
	g.mu.Unlock()
	if first {
		close(g.closed)
	}
	if last {
		return g.release()
	}
	return nil
}

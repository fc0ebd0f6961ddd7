package backends

import "sync"

// Inflight counts the operations under way, so that Close waits for nothing and
// the last operation still finds the database open.
type Inflight struct {
	release func() error  // called once: closed, and nothing under way
	closed  chan struct{} // closed by Close

	mu    sync.Mutex
	count int
	shut  bool
}

// NewInflight returns a counter whose release is called once, when it is closed
// and nothing is under way any more.
func NewInflight(release func() error) *Inflight {
	return &Inflight{release: release, closed: make(chan struct{})}
}

// Enter begins an operation and reports whether that is still possible. If so,
// Leave has to follow.
func (f *Inflight) Enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shut {
		return false
	}
	f.count++
	return true
}

// Stay enters once more on behalf of an operation under way, also when the
// counter has been closed meanwhile.
func (f *Inflight) Stay() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
}

// Leave ends an operation.
func (f *Inflight) Leave() {
	f.mu.Lock()
	f.count--
	last := f.shut && f.count == 0
	f.mu.Unlock()
	if last {
		_ = f.release() // the caller of Close has returned
	}
}

// Close lets no further operation in. It returns what release returned if
// nothing was under way, and nil otherwise.
func (f *Inflight) Close() error {
	f.mu.Lock()
	first := !f.shut
	f.shut = true
	last := first && f.count == 0
	f.mu.Unlock()
	if first {
		close(f.closed)
	}
	if last {
		return f.release()
	}
	return nil
}

// Closed returns a channel that is closed by Close.
func (f *Inflight) Closed() <-chan struct{} { return f.closed }

package checkpointtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// A trial is one run of one case: its namespace, its handles, what it wrote
// and what it found. Cases report to a trial rather than to a *testing.T, so
// that they also run outside of go test, and so that one that hangs can be
// left behind.
type trial struct {
	suite *suite
	tb    testing.TB // for open alone; nil under Verify
	ctx   context.Context

	// now is a time in whole seconds, an hour ahead of the real clock: a
	// database that expires rows by a clock of its own finds nothing to do
	// within a trial.
	now     time.Time
	elapsed atomic.Int64 // nanoseconds that a case has added for its stores

	namespace string

	mu        sync.Mutex
	failures  []string
	abandoned bool // the watchdog has given up on the case
	handles   []driver.Backend
	opened    []*handle // those of handles that open has returned
	wrote     map[driver.Key]bool
	expires   bool // some of it expires
	lastWrite time.Time
	recent    []string // the latest calls, oldest first
	notes     []string // what the case did otherwise than it says
}

// Bounds of what a failure shows.
const (
	recentCalls = 8
	maxFailures = 10
)

func newTrial(ctx context.Context, s *suite, tb testing.TB) *trial {
	return &trial{
		suite:     s,
		tb:        tb,
		ctx:       ctx,
		now:       time.Now().UTC().Truncate(time.Second).Add(time.Hour),
		namespace: "checkpointtest-" + strings.ToLower(rand.Text()[:16]),
		wrote:     make(map[driver.Key]bool),
	}
}

// open returns a new handle on the data. It is closed after the case.
func (t *trial) open() *handle {
	b, err := t.suite.open(t.tb)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	if b == nil {
		t.Fatalf("open returned nil")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	h := &handle{inner: b, t: t}
	t.handles, t.opened = append(t.handles, b), append(t.opened, h)
	return h
}

// scope makes what open registers by Cleanup run when the returned function is
// called, instead of at the end of the test.
func (t *trial) scope() (end func()) {
	outer := t.tb
	if outer == nil {
		return func() {}
	}
	inner := &scope{TB: outer}
	t.tb = inner
	return func() {
		t.tb = outer
		for _, f := range slices.Backward(inner.cleanups) {
			f()
		}
	}
}

// A scope is a test that keeps its cleanups to itself.
type scope struct {
	testing.TB
	cleanups []func()
}

func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

// key names a thread in the trial's namespace.
func (t *trial) key(thread string) driver.Key {
	return driver.Key{Namespace: t.namespace, Thread: thread}
}

// request is an ordinary save of a thread, under a new id. Cases change what
// they are about.
func (t *trial) request(thread string) driver.SaveRequest {
	return driver.SaveRequest{
		Key:      t.key(thread),
		ID:       rand.Text(),
		Payload:  []byte(`{"step":"one"}`),
		Encoding: "json",
		Now:      t.now,
		Keep:     1,
	}
}

// often is how often a case does what it repeats to be lucky: n times, or fewer under
// go test -short.
func (t *trial) often(n, short int) int {
	if t.suite.short {
		return short
	}
	return n
}

// Errorf records a failure; the case goes on.
func (t *trial) Errorf(format string, args ...any) {
	t.fail(caller() + fmt.Sprintf(format, args...))
}

// note records what a case did less of than it says, and why.
func (t *trial) note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.abandoned {
		t.notes = append(t.notes, fmt.Sprintf(format, args...))
	}
}

// fail records a failure.
func (t *trial) fail(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.abandoned || len(t.failures) > maxFailures {
		return
	}
	if len(t.failures) == maxFailures {
		text = "(more failures left out)"
	}
	if len(t.failures) == 0 && len(t.recent) > 0 {
		text += callsBefore + "\n\t  " + strings.Join(t.recent, "\n\t  ")
	}
	t.failures = append(t.failures, text)
}

// Fatalf records a failure and ends the case. Only the case's own goroutine
// may call it.
func (t *trial) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

// called records a call for the failures that follow.
func (t *trial) called(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	const long = 600
	if len(text) > long {
		text = strings.ToValidUTF8(text[:long], "") + "…"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.recent) == recentCalls {
		t.recent = append(t.recent[:0], t.recent[1:]...)
	}
	t.recent = append(t.recent, text)
}

// caller returns the file and line of the case that is failing: the outermost
// frame of the package that is not in a file that runs cases.
func caller() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	place := ""
	for {
		f, more := frames.Next()
		if file := filepath.Base(f.File); strings.Contains(f.Function, "/checkpointtest.") && file != "trial.go" && file != "rundriver.go" {
			place = fmt.Sprintf("%s:%d: ", file, f.Line)
		}
		if !more {
			return place
		}
	}
}

// run runs a case under a watchdog and cleans up after it. It returns the
// failures and the notes.
func (t *trial) run(c testCase) (failures, notes []string) {
	ctx, cancel := context.WithCancel(t.ctx)
	defer cancel()
	outer, tb := t.ctx, t.tb
	t.ctx = ctx

	if !t.within(t.suite.timeout, func() { c.run(t) }) {
		dump := make([]byte, 1<<20)
		dump = dump[:runtime.Stack(dump, true)]
		t.fail(fmt.Sprintf("still running after %v; all goroutines:\n%s", t.suite.timeout, dump))
		t.mu.Lock()
		t.abandoned = true
		t.mu.Unlock()
		cancel()
		t.suite.hung.Add(1)
	}
	t.within(min(t.suite.timeout, 30*time.Second), func() { t.cleanUp(context.WithoutCancel(outer), tb) })

	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failures, t.notes
}

// within runs f in a goroutine, which f may end, and reports whether it was
// over in time. Otherwise the goroutine is left behind.
func (t *trial) within(limit time.Duration, f func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer t.recovered()
		debug.SetPanicOnFault(true) // of a backend that returns memory of the database's own
		f()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// recovered, deferred, makes a failure of a panic.
func (t *trial) recovered() {
	if v := recover(); v != nil {
		t.Errorf("panic: %v\n%s", v, debug.Stack())
	}
}

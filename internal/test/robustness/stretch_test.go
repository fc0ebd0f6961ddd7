package robustness

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// A stretch is a part of a long test that has servers of its own. What ends them for
// their own sake, a cluster that elects no master for example, ends the stretch and
// not the test, which goes on with new ones: a proof fails for a violation only.
type stretch struct {
	testing.TB
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	broken   string // why it ended, "" if it did not
	skipped  string
	cleanups []func()
}

// runStretch runs f with a stretch for a test and cleans up after it.
func runStretch(t testing.TB, f func(*stretch)) *stretch {
	s := &stretch{TB: t}
	s.ctx, s.cancel = context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { // which Fatal may end
		defer close(done)
		defer s.cleanUp()
		f(s)
	}()
	<-done
	return s
}

func (s *stretch) cleanUp() {
	s.cancel()
	for {
		s.mu.Lock()
		cleanups := s.cleanups
		s.cleanups = nil
		s.mu.Unlock()
		if len(cleanups) == 0 {
			return
		}
		for _, f := range slices.Backward(cleanups) {
			f()
		}
	}
}

// end ends the stretch, and the goroutine that calls it.
func (s *stretch) end(reason *string, text string) {
	s.mu.Lock()
	if *reason == "" {
		*reason = text
	}
	s.mu.Unlock()
	s.cancel()
	runtime.Goexit()
}

func (s *stretch) Context() context.Context { return s.ctx }
func (s *stretch) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}
func (s *stretch) FailNow()                          { s.end(&s.broken, "FailNow") }
func (s *stretch) Fatal(args ...any)                 { s.end(&s.broken, fmt.Sprint(args...)) }
func (s *stretch) Fatalf(format string, args ...any) { s.end(&s.broken, fmt.Sprintf(format, args...)) }
func (s *stretch) SkipNow()                          { s.end(&s.skipped, "skipped") }
func (s *stretch) Skip(args ...any)                  { s.end(&s.skipped, fmt.Sprint(args...)) }
func (s *stretch) Skipf(format string, args ...any)  { s.end(&s.skipped, fmt.Sprintf(format, args...)) }

// TestStretch: what is fatal ends the stretch alone, also from a goroutine of its own.
func TestStretch(t *testing.T) {
	t.Parallel()
	cleaned := 0
	s := runStretch(t, func(s *stretch) {
		s.Cleanup(func() { cleaned++ })
		var wg sync.WaitGroup
		wg.Go(func() { s.Fatalf("no master for %d s", 45) })
		wg.Wait()
		<-s.Context().Done()
	})
	if s.broken != "no master for 45 s" || cleaned != 1 {
		t.Errorf("got %q with %d cleanups, want the text and 1", s.broken, cleaned)
	}
	if s := runStretch(t, func(s *stretch) { s.Skip("not installed") }); s.skipped != "not installed" || s.broken != "" {
		t.Errorf("got %q and %q, want a skip", s.skipped, s.broken)
	}
}

// servers has the driver of the systems that run on servers of PostgreSQL or Redis.
var servers = map[string]string{
	"postgres": "postgres", "pgbouncer": "postgres",
	"redis": "redis", "sentinel": "redis", "cluster": "redis",
}

// proved logs a line that scripts/prove.sh writes into docs/proof.md.
func proved(t testing.TB, part, system, what string, seed uint64) {
	t.Helper()
	if version := testserver.Version(servers[system]); version != "" {
		system += ", " + version
	}
	t.Logf("proof: %s | %s | %s | %d", part, system, what, seed)
}

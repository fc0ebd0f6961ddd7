package checkpointtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"runtime/pprof"
	"testing"
)

// TestGoroutines: goroutines are counted also where they are the most of all with one
// stack, which the profile lists first, behind its total.
func TestGoroutines(t *testing.T) {
	label := rand.Text()
	end := make(chan struct{})
	defer close(end)
	most := runtime.NumGoroutine() + 50
	pprof.Do(t.Context(), pprof.Labels("test", label), func(context.Context) {
		for range most {
			go func() { <-end }()
		}
	})
	if got := len(goroutines(fmt.Sprintf("%q:%q", "test", label))); got != most {
		t.Errorf("%d goroutines are counted, want %d", got, most)
	}
}

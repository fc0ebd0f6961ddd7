package bench

import (
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

// copying measures Copy from one store to another beside saves in the latter, one after
// another, which is what a loop over a list would do.
func copying(t *testing.T, open func() *subject) section {
	t.Helper()
	from, to, beside := open(), open(), open()
	var states [8][]byte
	for i := range states {
		states[i] = agentstate.JSON(2<<10, uint64(i))
	}
	state := func() []byte { return states[mathrand.IntN(len(states))] }
	fill(t, from, *copies, state)

	before, highest := alive(), uint64(0)
	measured := time.Duration(0) // what looking at the heap takes
	src, dst := checkpoint.New(from.backend, checkpoint.WithNamespace(namespace)), checkpoint.New(to.backend, checkpoint.WithNamespace(namespace))
	threads := 0
	began := time.Now()
	stats, err := checkpoint.Copy(t.Context(), dst, src, checkpoint.CopyOptions{Progress: func(checkpoint.CopyStats) {
		if threads++; threads%(1+*copies/20) == 0 {
			began := time.Now()
			highest = max(highest, alive())
			measured += time.Since(began)
		}
	}})
	took := time.Since(began) - measured
	require(t, err)
	if int(stats.Threads) != *copies {
		t.Fatalf("%d threads were copied, want %d", stats.Threads, *copies)
	}
	highest -= min(highest, before)
	if highest > heapLimit {
		t.Errorf("copying %d threads held %d MB of heap, want at most %d", *copies, highest>>20, heapLimit>>20)
	}

	one := saver{beside.backend, state, 1, rand.Text}
	saved := min(*copies, 5000)
	began = time.Now()
	for i := range saved {
		_, err := one.save(t.Context(), scaleThread(i), driver.Match{})
		require(t, err)
	}
	r := result{
		Name: fmt.Sprintf("copy of %d threads, a thread", *copies), Size: 2 << 10, Callers: 1, Calls: *copies,
		Ours: took / time.Duration(*copies), Floor: time.Since(began) / time.Duration(saved), Target: 1. / 3,
	}
	return section{
		title:   from.name + ", a copy of a store",
		about:   "`Copy` from one store to another of the same driver on this machine. The floor is the driver's own save in that store, one thread after another.",
		text:    fmt.Sprintf("It held %.1f MB of heap at most; the limit is %d MB.", float64(highest)/(1<<20), heapLimit>>20),
		results: []result{r},
	}
}

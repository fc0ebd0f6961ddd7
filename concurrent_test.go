package checkpoint_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"

	"github.com/go-ckpt/checkpoint"
)

// TestThreadsUnderWay has the work on each thread wait until as many threads are under
// way as there should be, and sees that there are never more.
func TestThreadsUnderWay(t *testing.T) {
	t.Parallel()
	const mega = 1 << 20
	for _, tt := range []struct {
		name        string
		info        checkpoint.Info
		concurrency int
		want        int
	}{
		{"small", checkpoint.Info{Size: 2 << 10, Encoding: "json"}, 0, 64},
		{"as asked", checkpoint.Info{Size: 2 << 10, Encoding: "json"}, 3, 3},
		{"large", checkpoint.Info{Size: 10 * mega, Encoding: "json"}, 0, 6},
		{"encrypted", checkpoint.Info{Size: 10 * mega, Encoding: "json+aead"}, 0, 6},
		{"larger than all", checkpoint.Info{Size: 100 * mega, Encoding: "json"}, 0, 1},
		{"compressed", checkpoint.Info{Size: mega, Encoding: "json+zstd"}, 0, 4},
		{"compressed and encrypted", checkpoint.Info{Size: mega, Encoding: "json+zstd+aead"}, 0, 4},
		{"patches", checkpoint.Info{Size: 100, Encoding: "json+patch", Base: 1}, 0, 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			full := sync.NewCond(&mu)
			running, most := 0, 0
			work := func(ctx context.Context, _ checkpoint.Info) error {
				mu.Lock()
				defer mu.Unlock()
				running++
				if most = max(most, running); running > tt.want {
					return fmt.Errorf("%d threads under way, want %d at most", running, tt.want)
				}
				full.Broadcast()
				for most < tt.want && ctx.Err() == nil {
					full.Wait()
				}
				running--
				return nil
			}
			if err := checkpoint.EachThread(t.Context(), repeated(tt.info, 2*tt.want+1), tt.concurrency, work); err != nil {
				t.Error(err)
			}
		})
	}
}

// repeated yields info n times.
func repeated(info checkpoint.Info, n int) iter.Seq2[checkpoint.Info, error] {
	return func(yield func(checkpoint.Info, error) bool) {
		for range n {
			if !yield(info, nil) {
				return
			}
		}
	}
}

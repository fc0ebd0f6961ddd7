package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// TestCopyTransactions counts the transactions of a copy of 1000 threads. How many of
// those that are read meanwhile share one is up to the machine; a copy of eight at a
// time takes more than 125.
func TestCopyTransactions(t *testing.T) {
	t.Parallel()
	src := checkpoint.New(memory.New())
	b, counts := counted(t, filepath.Join(t.TempDir(), "agents.db"))
	const threads = 1000
	for i := range threads {
		if _, err := src.Save(t.Context(), fmt.Sprint("thread-", i), i); err != nil {
			t.Fatal(err)
		}
	}
	counts.reset()
	stats, err := checkpoint.Copy(t.Context(), checkpoint.New(b), src, checkpoint.CopyOptions{})
	if err != nil || stats.Checkpoints != threads {
		t.Fatalf("Copy: %+v, %v; want %d checkpoints", stats, err, threads)
	}
	counts.mu.Lock()
	defer counts.mu.Unlock()
	t.Logf("%d transactions for %d threads", counts.commits, threads)
	if counts.commits > threads/8 {
		t.Errorf("%d threads took %d transactions, want %d at most", threads, counts.commits, threads/8)
	}
}

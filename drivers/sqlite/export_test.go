package sqlite

import "github.com/go-ckpt/checkpoint/driver"

// Queued returns how many writes wait for the batch under way to be committed,
// and whether there is one.
func Queued(b driver.Backend) (n int, committing bool) {
	w := b.(*backend).database.Load().writer
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue), w.running
}

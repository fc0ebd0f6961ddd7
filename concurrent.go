package checkpoint

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
)

// Threads that are read and written one by one, many at a time: databases write what
// comes together in one transaction, or send it in one packet, and one thread's
// reading goes on beside another's writing.
const (
	defaultConcurrency = 64
	maxBytesUnderWay   = 64 << 20 // of the states of these threads
)

// eachThread calls do for every thread of a list, several at a time, and returns
// the first error, which stops the rest. It returns when every call has. The states
// of the threads under way have at most maxBytesUnderWay bytes, unless one alone has
// more.
func eachThread(ctx context.Context, infos iter.Seq2[Info, error], concurrency int, do func(context.Context, Info) error) error {
	switch {
	case concurrency < 0:
		return fmt.Errorf("%w option: Concurrency %d is negative", ErrInvalid, concurrency)
	case concurrency == 0:
		concurrency = defaultConcurrency
	}
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	threads := make(chan Info)
	room := newRoom(maxBytesUnderWay)
	var workers sync.WaitGroup
	for range concurrency {
		workers.Go(func() {
			for info := range threads {
				if running.Err() == nil {
					if err := do(running, info); err != nil {
						cancel(err)
					}
				}
				room.leave(unpackedSize(info))
			}
		})
	}
	for info, err := range infos {
		if err != nil {
			cancel(err)
		}
		if running.Err() != nil {
			break
		}
		room.enter(unpackedSize(info))
		threads <- info
	}
	close(threads)
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return context.Cause(running)
}

// unpackedSize estimates how large the state of a checkpoint is: of compressed ones
// only the compressed size is known, and of patches nothing.
func unpackedSize(info Info) int {
	steps := strings.Count(strings.TrimSuffix(info.Encoding, "+"+stepSealed), "+")
	switch {
	case info.Base != 0:
		return maxBytesUnderWay / 8
	case steps > 0:
		return min(info.Size, maxBytesUnderWay) * 16
	}
	return info.Size
}

// A room holds a number of bytes at once.
type room struct {
	mu    sync.Mutex
	left  sync.Cond
	size  int
	taken int
}

func newRoom(size int) *room {
	r := &room{size: size}
	r.left.L = &r.mu
	return r
}

// enter waits until there is room for n bytes; more than it holds have it alone.
func (r *room) enter(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.taken > 0 && r.taken+n > r.size {
		r.left.Wait()
	}
	r.taken += n
}

func (r *room) leave(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken -= n
	r.left.Signal()
}

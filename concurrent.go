package checkpoint

import (
	"context"
	"fmt"
	"iter"
	"sync"
)

// eachThread calls do for every thread of a list, several at a time, and returns
// the first error, which stops the rest. It returns when every call has.
func eachThread(ctx context.Context, infos iter.Seq2[Info, error], concurrency int, do func(context.Context, Info) error) error {
	switch {
	case concurrency < 0:
		return fmt.Errorf("%w option: Concurrency %d is negative", ErrInvalid, concurrency)
	case concurrency == 0:
		concurrency = 8
	}
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	threads := make(chan Info)
	var workers sync.WaitGroup
	for range concurrency {
		workers.Go(func() {
			for info := range threads {
				if running.Err() != nil {
					continue
				}
				if err := do(running, info); err != nil {
					cancel(err)
				}
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
		threads <- info
	}
	close(threads)
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return context.Cause(running)
}

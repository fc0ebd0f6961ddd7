package checkpointtest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
)

// cleanUp removes what the case wrote and closes its handles. What fails here does
// not fail the case. Context and test are its own: a case that was left behind may go on
// with those of the trial.
func (t *trial) cleanUp(ctx context.Context, tb testing.TB) {
	t.mu.Lock()
	handles, wrote, expires := slices.Clone(t.handles), maps.Clone(t.wrote), t.expires // a case left behind may go on
	b := t.stillOpen()
	t.mu.Unlock()
	defer func() {
		for _, b := range handles {
			b.Close()
		}
	}()
	if len(wrote) == 0 {
		return
	}
	if b == nil {
		var err error
		if b, err = t.suite.open(tb); err != nil {
			return
		}
		handles = append(handles, b)
	}
	namespaces := make(map[string]bool)
	for key := range wrote {
		namespaces[key.Namespace] = true
	}
	t.removeMany(ctx, b, wrote)
	keys := make(chan driver.Key)
	var gone atomic.Bool
	go func() {
		defer close(keys)
		for key := range wrote {
			if gone.Load() {
				return
			}
			keys <- key
		}
	}()
	t.together(8, func(int) {
		for key := range keys {
			if err := b.Delete(ctx, driver.DeleteRequest{Key: key}); errors.Is(err, driver.ErrUnavailable) {
				gone.Store(true)
			}
		}
	})
	if gone.Load() || !expires {
		return
	}
	purger, ok := b.(driver.Purger) // Delete may leave what has expired
	for ns := range namespaces {
		if ok && len(namespaces) < 15 {
			purger.Purge(ctx, ns, t.now.AddDate(1000, 0, 0))
		}
	}
}

// stillOpen returns a handle that the case has not closed, which spares the opening of
// another one; nil where there is none, and of a case that hangs and may hold it.
func (t *trial) stillOpen() driver.Backend {
	i := slices.IndexFunc(t.opened, func(h *handle) bool { return !h.closed.Load() })
	if i < 0 || t.abandoned {
		return nil
	}
	return t.opened[i].inner
}

// removeMany removes threads by their first byte where that stands for many of them,
// and takes them out of wrote. It is a commit for each batch and not for each thread.
func (t *trial) removeMany(ctx context.Context, b driver.Backend, wrote map[driver.Key]bool) {
	d, ok := b.(driver.PrefixDeleter)
	if !ok || t.suite.listLag > 0 { // what is not listed yet would stay
		return
	}
	const many = 20
	beginnings := make(map[driver.Key]int)
	for key := range wrote {
		if key.Thread != "" {
			beginnings[driver.Key{Namespace: key.Namespace, Thread: key.Thread[:1]}]++
		}
	}
	for begin, n := range beginnings {
		if n < many {
			continue
		}
		_, err := d.DeletePrefix(ctx, driver.DeletePrefixRequest{Namespace: begin.Namespace, Prefix: begin.Thread, Now: t.now})
		left := err != nil
		for range b.List(ctx, driver.ListRequest{Namespace: begin.Namespace, Prefix: begin.Thread, Limit: 1, Now: t.now}) {
			left = true
		}
		if !left {
			maps.DeleteFunc(wrote, func(key driver.Key, _ bool) bool {
				return key.Namespace == begin.Namespace && strings.HasPrefix(key.Thread, begin.Thread)
			})
		}
	}
}

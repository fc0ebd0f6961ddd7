package memory

import (
	"context"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

func (s *store) remove(req driver.DeleteRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := check(req.Match, s.live(req.Key, req.Now)); err != nil {
		return err
	}
	s.drop(req.Key)
	return nil
}

// purge removes the expired threads of a namespace.
func (b *backend) purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	return b.sweep(ctx, namespace, "", func(t *thread) (remove, counts bool) {
		expired := t.latest().Expired(now)
		return expired, expired
	})
}

// deletePrefix removes the threads under a prefix. Those that have expired are
// not counted.
func (b *backend) deletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	return b.sweep(ctx, req.Namespace, req.Prefix, func(t *thread) (remove, counts bool) {
		return true, !t.latest().Expired(req.Now)
	})
}

// sweep visits the threads under a prefix and removes those that judge says. It
// returns how many of them count. Other operations wait for one batch at most.
func (b *backend) sweep(ctx context.Context, namespace, prefix string, judge func(*thread) (remove, counts bool)) (int64, error) {
	var removed int64
	for next, more := prefix, true; more; {
		s, err := b.begin(ctx)
		if err != nil {
			return removed, err
		}
		var n int64
		n, next, more = s.sweepBatch(namespace, prefix, next, judge)
		removed += n
	}
	return removed, nil
}

// sweepBatch does so with the first threads whose names are not less than from.
// It returns where to go on if there is more to do.
func (s *store) sweepBatch(namespace, prefix, from string, judge func(*thread) (remove, counts bool)) (removed int64, next string, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ns := s.namespaces[namespace]
	if ns == nil {
		return 0, "", false
	}
	var names []string
	seen := 0
	for name := range ns.names.from(from) {
		if !strings.HasPrefix(name, prefix) {
			break
		}
		if seen == batch {
			next, more = name, true
			break
		}
		seen++
		remove, counts := judge(ns.threads[name])
		if remove {
			names = append(names, name)
		}
		if counts {
			removed++
		}
	}
	for _, name := range names {
		s.drop(driver.Key{Namespace: namespace, Thread: name})
	}
	return removed, next, more
}

package redis

import (
	"context"
	"iter"
	"time"
)

// purgeBatch is how many threads one script removes: it holds up the server for
// well under a millisecond.
const purgeBatch = 100

// Purge implements driver.Purger.
func (b *backend) Purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	if err := b.begin(ctx); err != nil {
		return 0, err
	}
	if err := b.ready(ctx); err != nil {
		return 0, b.report(ctx, err)
	}
	var total int64
	for k := range b.layout.shards {
		n, err := b.purgeShard(ctx, namespace, k, now)
		total += n
		if err != nil {
			return total, b.report(ctx, err)
		}
	}
	return total, nil
}

func (b *backend) purgeShard(ctx context.Context, namespace string, k int, now time.Time) (total int64, err error) {
	shard := b.layout.shard(namespace, k)
	// Names that stay, because their threads have not expired after all, are
	// passed over.
	for passed := int64(0); ; {
		if err := b.begin(ctx); err != nil {
			return total, err
		}
		threads, err := b.readBy(ctx, dueScript, []string{shard.expiry}, now.UnixMilli(), passed, purgeBatch)
		if err != nil || len(threads) == 0 {
			return total, err
		}
		removed, cleaned, err := b.purge(ctx, namespace, shard, threads, now)
		total += removed
		if err != nil || len(threads) < purgeBatch {
			return total, err
		}
		passed += int64(len(threads)) - cleaned
	}
}

// purge removes those of the threads that have expired. It may be repeated: a
// thread is removed once.
func (b *backend) purge(ctx context.Context, namespace string, s shard, threads []string, now time.Time) (removed, cleaned int64, err error) {
	keys := []string{s.index, s.expiry}
	argv := []any{now.UnixMicro()}
	for _, thread := range threads {
		keys = append(keys, b.layout.list(namespace, thread), b.layout.past(namespace, thread))
		argv = append(argv, thread)
	}
	counts, err := do(ctx, b, always, func(ctx context.Context) ([]int64, error) {
		cmd, err := process(ctx, b.client, func(bySource bool) onceAny {
			return anyOf(ctx, purgeScript.args(bySource, false, keys, argv...)...)
		})
		if err != nil {
			return nil, err
		}
		return cmd.Int64Slice()
	})
	if err != nil || len(counts) != 2 {
		return 0, 0, err
	}
	return counts[0], counts[1], nil
}

// Namespaces implements driver.NamespaceLister. It yields every namespace that
// something was ever saved in.
func (b *backend) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := b.begin(ctx)
		if err == nil {
			err = b.ready(ctx)
		}
		for from := "-"; err == nil; {
			var found []string
			found, err = b.texts(ctx, "zrangebylex", b.layout.namespaces(), from, "+", "limit", 0, page)
			if err != nil {
				break
			}
			for _, namespace := range found {
				if !yield(namespace, nil) {
					return
				}
			}
			if len(found) < page {
				return
			}
			from = "(" + found[len(found)-1]
			err = b.begin(ctx)
		}
		yield("", b.report(ctx, err))
	}
}

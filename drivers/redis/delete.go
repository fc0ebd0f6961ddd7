package redis

import (
	"context"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// remove deletes a thread. Like a save it is sent once: a second
// attempt could remove a thread that was created after the first.
func (b *backend) remove(ctx context.Context, req driver.DeleteRequest) error {
	keys := b.layout.thread(req.Key)
	sent := &blob{data: []byte(req.Key.Thread)}
	_, err := do(ctx, b, sent.unsent, func(ctx context.Context) (onceAny, error) {
		sent.written.Store(false)
		return process(ctx, b.client, func(bySource bool) onceAny {
			return anyOf(ctx, deleteScript.args(bySource, false, keys[:4], sent)...)
		})
	})
	if err == nil {
		return nil
	}
	if b.inDoubt(ctx, err, sent) {
		if _, err := b.text(ctx, "lindex", keys[0], 1); isNil(err) {
			return nil
		}
	}
	return b.report(ctx, err)
}

// purgeBatch is how many threads one script removes: it holds up the server for
// well under a millisecond.
const purgeBatch = 100

// purge removes the expired threads of a namespace.
func (b *backend) purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
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
		removed, cleaned, err := b.purgeThreads(ctx, namespace, shard, threads, now)
		total += removed
		if err != nil || len(threads) < purgeBatch {
			return total, err
		}
		passed += int64(len(threads)) - cleaned
	}
}

// purgeThreads removes those of the threads that have expired. It may be repeated: a
// thread is removed once.
func (b *backend) purgeThreads(ctx context.Context, namespace string, s shard, threads []string, now time.Time) (removed, cleaned int64, err error) {
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

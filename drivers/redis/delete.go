package redis

import (
	"context"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
)

// remove deletes a thread, if the condition holds. It is sent once: a second
// attempt could remove a thread that was created after the first, also with the id
// that it asks for.
func (b *backend) remove(ctx context.Context, req driver.DeleteRequest) error {
	keys := b.layout.thread(req.Key)
	match := condition(req.Match)
	sent := &blob{data: []byte(req.Key.Thread)}
	reply, err := do(ctx, b, sent.unsent, func(ctx context.Context) (string, error) {
		sent.written.Store(false)
		cmd, err := process(ctx, b, deleteScript, b.client.Process, func(bySource bool) onceString {
			return stringOf(ctx, deleteScript.args(bySource, false, keys[:4], sent, match, req.Now.UnixMicro())...)
		})
		return cmd.Val(), err
	})
	switch {
	case err != nil && match == "" && b.inDoubt(ctx, err, sent):
		if _, err := b.text(ctx, "lindex", keys[0], 1); isNil(err) {
			return nil
		}
		return b.report(ctx, err)
	case err != nil:
		return b.report(ctx, err)
	}
	_, err = verdictOf(req.Key, reply)
	return err
}

// deletePrefix removes the threads of a range of names, batch by batch.
func (b *backend) deletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (total int64, err error) {
	low, high, ok := names.Range(req.Prefix, "")
	if !ok {
		return 0, nil
	}
	from, to := lexRange(low, high)
	for k := range b.layout.shards {
		n, err := b.deleteShard(ctx, req, k, from, to)
		total += n
		if err != nil {
			return total, b.report(ctx, err)
		}
	}
	return total, nil
}

func (b *backend) deleteShard(ctx context.Context, req driver.DeletePrefixRequest, k int, from, to string) (total int64, err error) {
	shard := b.layout.shard(req.Namespace, k)
	for {
		if err := b.begin(ctx); err != nil {
			return total, err
		}
		threads, err := b.texts(ctx, false, "zrangebylex", shard.index, from, to, "limit", 0, purgeBatch)
		if err != nil || len(threads) == 0 {
			return total, err
		}
		removed, _, err := b.purgeThreads(ctx, req.Namespace, shard, "all", threads, req.Now)
		total += removed
		if err != nil || len(threads) < purgeBatch {
			return total, err
		}
		from = "(" + threads[len(threads)-1]
	}
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
		threads, err := b.readBy(ctx, false, dueScript, []string{shard.expiry}, now.UnixMilli(), passed, purgeBatch)
		if err != nil || len(threads) == 0 {
			return total, err
		}
		removed, cleaned, err := b.purgeThreads(ctx, namespace, shard, "expired", threads, now)
		total += removed
		if err != nil || len(threads) < purgeBatch {
			return total, err
		}
		passed += int64(len(threads)) - cleaned
	}
}

// purgeThreads removes "all" of the threads or those that have "expired". Those may
// be removed again when an answer was lost, which is then not counted; "all" is sent
// once, as a deletion is: a thread may have been created after the first attempt.
func (b *backend) purgeThreads(ctx context.Context, namespace string, s shard, which string, threads []string, now time.Time) (removed, cleaned int64, err error) {
	keys := []string{s.index, s.expiry}
	sent := &blob{data: []byte(which)}
	argv := []any{now.UnixMicro(), sent}
	for _, thread := range threads {
		keys = append(keys, b.layout.list(namespace, thread), b.layout.past(namespace, thread))
		argv = append(argv, thread)
	}
	again := always
	if which == "all" {
		again = sent.unsent
	}
	counts, err := do(ctx, b, again, func(ctx context.Context) ([]int64, error) {
		cmd, err := process(ctx, b, purgeScript, b.client.Process, func(bySource bool) onceAny {
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

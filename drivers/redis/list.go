package redis

import (
	"context"
	"fmt"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
	"github.com/redis/go-redis/v9"
)

// page is how many threads are looked at in one round trip.
const page = 256

// list reads names from the index of each shard, in order and a few at a time,
// and merges them; infos come from the threads themselves, so a name whose thread
// is gone is not listed, and leaves the index. A page of one shard takes two
// round trips, whatever its size, and one of many shards rarely more: commands
// travel in pipelines, one for each node.
func (b *backend) list(ctx context.Context, req driver.ListRequest, yield func(driver.Info, error) bool) error {
	low, high, ok := names.Range(req.Prefix, req.After)
	if !ok {
		return b.begin(ctx)
	}
	m := newMerge(b, req.Namespace, low, high)
	for yielded := 0; ; {
		if err := b.begin(ctx); err != nil { // the loop's body may have taken its time
			return err
		}
		want := page
		if req.Limit > 0 {
			want = min(page, req.Limit-yielded)
		}
		threads, err := m.next(ctx, want)
		if err != nil {
			return b.report(ctx, err)
		}
		if len(threads) == 0 {
			return nil
		}
		lines, err := b.infosOf(ctx, req.Namespace, threads)
		if err != nil {
			return b.report(ctx, err)
		}
		b.forget(ctx, req.Namespace, threads, lines)
		for i, line := range lines {
			if line == "" {
				continue // gone since its name was read, or long ago
			}
			key := driver.Key{Namespace: req.Namespace, Thread: threads[i]}
			info, err := parseInfo(key, line)
			if err != nil {
				info = driver.Info{Key: key} // one damaged thread hides no other
			} else if info.Expired(req.Now) {
				continue
			}
			if !yield(info, err) {
				return nil
			}
			if yielded++; yielded == req.Limit {
				return nil
			}
		}
	}
}

// infosOf reads the latest info of each thread; "" where there is no thread.
func (b *backend) infosOf(ctx context.Context, namespace string, threads []string) ([]string, error) {
	return do(ctx, b, always, func(ctx context.Context) ([]string, error) {
		cmds := make([]onceString, len(threads))
		pipe := b.client.Pipeline()
		for i, thread := range threads {
			cmds[i] = stringOf(ctx, "lindex", b.layout.list(namespace, thread), 1)
			pipe.Process(ctx, cmds[i])
		}
		if _, err := pipe.Exec(ctx); err != nil && !isNil(err) {
			return nil, err
		}
		lines := make([]string, len(threads))
		for i, cmd := range cmds {
			if err := cmd.Err(); err != nil && !isNil(err) {
				return nil, err
			}
			lines[i] = cmd.Val()
		}
		return lines, nil
	})
}

// forget takes the names of threads that are gone out of the indexes, as far as
// it can: a user without the right to write lists all the same.
func (b *backend) forget(ctx context.Context, namespace string, threads, lines []string) {
	dead := make(map[int][]string)
	for i, line := range lines {
		if line == "" {
			k := b.layout.shardOf(threads[i])
			dead[k] = append(dead[k], threads[i])
		}
	}
	if len(dead) == 0 {
		return
	}
	_, _ = do(ctx, b, always, func(ctx context.Context) ([]redis.Cmder, error) {
		pipe := b.client.Pipeline()
		for k, gone := range dead {
			shard := b.layout.shard(namespace, k)
			keys := []string{shard.index, shard.expiry}
			argv := make([]any, len(gone))
			for i, thread := range gone {
				keys = append(keys, b.layout.list(namespace, thread))
				argv[i] = thread
			}
			pipe.Process(ctx, anyOf(ctx, forgetScript.args(true, false, keys, argv...)...))
		}
		return pipe.Exec(ctx)
	})
}

// history reads a page in one round trip and moves no payload.
func (b *backend) history(ctx context.Context, req driver.HistoryRequest, yield func(driver.Info, error) bool) error {
	var of life
	before := req.Before
	for yielded := 0; ; {
		if err := b.begin(ctx); err != nil { // the loop's body may have taken its time
			return err
		}
		want := page
		if req.Limit > 0 {
			want = min(page, req.Limit-yielded)
		}
		lines, err := b.readBy(ctx, false, historyScript, b.layout.thread(req.Key)[:2], before, want, of.latest.Version)
		if err != nil {
			return b.report(ctx, err)
		}
		if len(lines) < 2 {
			return nil
		}
		latest, err := parseInfo(req.Key, lines[0])
		if err != nil {
			return err
		}
		if latest.Expired(req.Now) || !of.goesOn(latest, lines[1]) {
			return nil
		}
		for _, line := range lines[2:] {
			info, err := parseInfo(req.Key, line)
			if err == nil && before != 0 && info.Version >= before {
				err = fmt.Errorf("%w: its history is out of order", driver.ErrCorrupt)
			}
			if err != nil {
				return err
			}
			before = info.Version
			if !yield(info, nil) {
				return nil
			}
			if yielded++; yielded == req.Limit {
				return nil
			}
		}
		if len(lines)-2 < want || before == 1 {
			return nil
		}
	}
}

// namespaces yields every namespace that something was ever saved in.
func (b *backend) namespaces(ctx context.Context, yield func(string, error) bool) error {
	for from := "-"; ; {
		if err := b.begin(ctx); err != nil {
			return err
		}
		found, err := b.texts(ctx, false, "zrangebylex", b.layout.namespaces(), from, "+", "limit", 0, page)
		if err != nil {
			return b.report(ctx, err)
		}
		for _, namespace := range found {
			if !yield(namespace, nil) {
				return nil
			}
		}
		if len(found) < page {
			return nil
		}
		from = "(" + found[len(found)-1]
	}
}

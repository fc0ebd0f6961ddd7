package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/redis/go-redis/v9"
)

// Ping implements driver.Backend. It connects, records how the store is laid
// out or checks it against what is on record, and warns when the server may
// evict threads. It writes only to a database without a store.
func (b *backend) Ping(ctx context.Context) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	b.recorded.Store(false)
	if err := b.ready(ctx); err != nil {
		return b.report(ctx, err)
	}
	b.inspect(ctx)
	return ended(ctx)
}

// ready makes sure that the store on record is laid out as this backend takes
// it to be. It asks once.
func (b *backend) ready(ctx context.Context) error {
	if b.unfit != nil {
		return b.unfit
	}
	if b.recorded.Load() {
		return nil
	}
	shards, err := b.text(ctx, "hget", b.layout.store(), "shards")
	if isNil(err) {
		shards, err = b.register(ctx, "")
	}
	if err != nil {
		return err
	}
	return b.compare(shards)
}

// renewal is after how long a namespace is recorded again: a failover may have
// lost the record, or an operator the database, while the backend goes on.
const renewal = time.Minute

// enroll records the namespace before the first save in it, so that a crash
// between the two leaves a namespace without threads and no thread without a
// namespace. The record lies in another slot than the thread, where save.lua
// cannot reach it.
func (b *backend) enroll(ctx context.Context, namespace string) error {
	if at, ok := b.enrolled.Load(namespace); ok && time.Since(at.(time.Time)) < renewal {
		return nil
	}
	if b.unfit != nil {
		return b.unfit
	}
	shards, err := b.register(ctx, namespace)
	if err != nil {
		return err
	}
	if err := b.compare(shards); err != nil {
		return err
	}
	b.enrolled.Store(namespace, time.Now())
	return nil
}

func (b *backend) register(ctx context.Context, namespace string) (string, error) {
	keys := []string{b.layout.store(), b.layout.namespaces()}
	sample := b.layout.list(namespace, "thread")
	return do(ctx, b, always, func(ctx context.Context) (string, error) {
		cmd, err := process(ctx, b.client, func(bySource bool) onceString {
			return stringOf(ctx, registerScript.args(bySource, false, keys, b.layout.shards, namespace, sample)...)
		})
		return cmd.Val(), err
	})
}

func (b *backend) compare(shards string) error {
	if shards != strconv.Itoa(b.layout.shards) {
		return fmt.Errorf("%w number of shards: the store in this database was made with %s, and this one is opened with %d; add shards=%s to the DSN, or copy the threads to another database or prefix",
			driver.ErrInvalid, shorten(shards), b.layout.shards, shorten(shards))
	}
	b.recorded.Store(true)
	return nil
}

// inspect warns, once, when the server may throw threads away to make room. It
// is no error not to be allowed to ask.
func (b *backend) inspect(ctx context.Context) {
	if b.warned.Load() {
		return
	}
	// The server was there a moment ago; what fails here can wait for another day.
	_, _ = do(ctx, b, always, func(ctx context.Context) (struct{}, error) {
		if b.cluster == nil {
			return struct{}{}, b.inspectNode(ctx, b.client)
		}
		return struct{}{}, b.cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			return b.inspectNode(ctx, node)
		})
	})
}

func (b *backend) inspectNode(ctx context.Context, node redis.Cmdable) error {
	info, err := node.Info(ctx, "memory").Result()
	if err != nil {
		return err
	}
	for line := range strings.Lines(info) {
		policy, ok := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:")
		if ok && policy != "noeviction" && !b.warned.Swap(true) {
			b.warn(ctx, "redis: the server may evict threads when its memory is full; set maxmemory-policy to noeviction",
				"maxmemory_policy", shorten(policy))
		}
	}
	return nil
}

func isNil(err error) bool { return errors.Is(err, redis.Nil) }

package redis

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"
)

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

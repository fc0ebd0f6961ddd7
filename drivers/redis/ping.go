package redis

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"
)

// inspect warns, once, when the server may throw threads away to make room, and
// when another program's threads lie where these are looked for. It is no error not to
// be allowed to ask.
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

// crateNamespace is where the Rust crate agents-persistence keeps its threads, and
// this library its own, unless they are told another namespace. The crate knows no
// clusters.
const crateNamespace = "agents"

func (b *backend) inspectNode(ctx context.Context, node redis.Cmdable) error {
	var info *redis.StringCmd
	var theirs *redis.IntCmd
	var ours *redis.FloatCmd
	_, err := node.Pipelined(ctx, func(p redis.Pipeliner) error {
		info = p.Info(ctx, "memory")
		if b.cluster == nil {
			theirs = p.Exists(ctx, crateNamespace+":threads")
			ours = p.ZScore(ctx, b.layout.namespaces(), crateNamespace)
		}
		return nil
	})
	for line := range strings.Lines(info.Val()) {
		policy, ok := strings.CutPrefix(strings.TrimSpace(line), "maxmemory_policy:")
		if ok && policy != "noeviction" && !b.warned.Swap(true) {
			b.warn(ctx, "redis: the server may evict threads when its memory is full; set maxmemory-policy to noeviction",
				"maxmemory_policy", shorten(policy))
		}
	}
	if theirs != nil && theirs.Val() == 1 && isNil(ours.Err()) && !b.crateWarned.Swap(true) {
		b.warn(ctx, "redis: the Rust crate agents-persistence has threads here, which are not seen; checkpoint import --from agents-persistence takes them over",
			"key", crateNamespace+":threads")
	}
	if isNil(err) {
		return nil
	}
	return err
}

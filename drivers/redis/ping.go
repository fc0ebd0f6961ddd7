package redis

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// beside runs a command of a backend that does not know its database yet. In the same
// round trip it asks the server what there is to warn of, once: whether it may throw
// threads away to make room, and whether another program's threads lie where these are
// looked for. It is no error not to be allowed to ask. A cluster, whose nodes have to
// be asked one by one, is for inspectCluster.
func (b *backend) beside(ctx context.Context, cmd redis.Cmder) error {
	if b.cluster != nil || b.recorded.Load() || b.warned.Load() {
		return b.client.Process(ctx, cmd)
	}
	pipe := b.client.Pipeline()
	if client, ok := b.client.(*redis.Client); ok {
		conn := client.Conn() // which later commands go by, and not one of those for pipelines alone
		defer conn.Close()
		pipe = conn.Pipeline()
	}
	warn := b.inspect(ctx, pipe) // before cmd, which may be the first to record a namespace
	_ = pipe.Process(ctx, cmd)
	cmds, err := pipe.Exec(ctx)
	if err != nil && !slices.ContainsFunc(cmds, func(c redis.Cmder) bool { return c.Err() != nil }) {
		return err // there was no connection to send them on
	}
	warn()
	if _, answered := answer(cmd.Err()); cmd.Err() != nil && !answered && ctx.Err() == nil {
		// There are proxies that close a connection that asks for what they do not have.
		return b.client.Process(ctx, cmd)
	}
	return cmd.Err()
}

// inspectCluster asks the masters of a cluster. They were there a moment ago; what
// fails here can wait for another day.
func (b *backend) inspectCluster(ctx context.Context) {
	if b.warned.Load() {
		return
	}
	_, _ = do(ctx, b, always, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, b.cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			pipe := node.Pipeline()
			warn := b.inspect(ctx, pipe)
			_, err := pipe.Exec(ctx)
			warn()
			return err
		})
	})
}

// crateNamespace is where the Rust crate agents-persistence keeps its threads, and
// this library its own, unless they are told another namespace. The crate knows no
// clusters.
const crateNamespace = "agents"

// inspect asks a server by a pipeline. warn, which it returns, looks at the answers.
func (b *backend) inspect(ctx context.Context, pipe redis.Pipeliner) (warn func()) {
	info := pipe.Info(ctx, "memory")
	var theirs *redis.IntCmd
	var ours *redis.FloatCmd
	if b.cluster == nil {
		theirs = pipe.Exists(ctx, crateNamespace+":threads")
		ours = pipe.ZScore(ctx, b.layout.namespaces(), crateNamespace)
	}
	return func() {
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
	}
}

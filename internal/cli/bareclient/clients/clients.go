// Package clients are the bare clients of the databases that have one. It is
// imported for its side effect, which is to register them.
package clients

import (
	"context"
	"strings"

	"github.com/go-ckpt/checkpoint/internal/cli/bareclient"
)

func init() {
	bareclient.Register(openSQLite, "sqlite")
	bareclient.Register(openPostgres, "postgres", "postgresql")
	bareclient.Register(openRedis, "redis", "rediss")
	bareclient.Register(openValkey, "valkey", "valkeys")
	bareclient.Register(openDynamoDB, "dynamodb")
}

// openValkey opens the Redis client, which does not know the scheme.
func openValkey(ctx context.Context, url, own string) (bareclient.Client, error) {
	return openRedis(ctx, "redis"+strings.TrimPrefix(url, "valkey"), own)
}

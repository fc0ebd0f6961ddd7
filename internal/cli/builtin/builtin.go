// Package builtin is what the command checkpoint is built with: the drivers, the
// compressor, the bare clients of the databases and what reads other programs' states. It is imported for its side
// effects.
package builtin

import (
	"context"

	"github.com/redis/go-redis/v9"

	_ "github.com/go-ckpt/checkpoint/drivers/dynamodb"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
	_ "github.com/go-ckpt/checkpoint/drivers/postgres"
	_ "github.com/go-ckpt/checkpoint/drivers/redis"
	_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
	_ "github.com/go-ckpt/checkpoint/internal/cli/bareclient/clients"
	_ "github.com/go-ckpt/checkpoint/internal/cli/foreign/sources"
	_ "github.com/go-ckpt/checkpoint/zstd"
)

// The clients of databases say what they have to say in errors alone. The Redis
// client would write lines of its own to standard error.
func init() { redis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

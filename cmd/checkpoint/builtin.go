package main

import (
	"context"

	"github.com/redis/go-redis/v9"

	// The drivers and the compressor that are built in.
	_ "github.com/go-ckpt/checkpoint/drivers/dynamodb"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
	_ "github.com/go-ckpt/checkpoint/drivers/postgres"
	_ "github.com/go-ckpt/checkpoint/drivers/redis"
	_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
	_ "github.com/go-ckpt/checkpoint/zstd"
)

// quiet makes the clients of databases say what they have to say in errors alone.
// The Redis client writes lines of its own to standard error otherwise.
func quiet() { redis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

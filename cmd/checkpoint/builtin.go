package main

// The drivers and the compressor that are built in.
import (
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
	_ "github.com/go-ckpt/checkpoint/drivers/postgres"
	_ "github.com/go-ckpt/checkpoint/drivers/redis"
	_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
	_ "github.com/go-ckpt/checkpoint/zstd"
)

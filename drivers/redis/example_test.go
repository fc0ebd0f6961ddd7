package redis_test

import (
	"context"
	"fmt"
	"log"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/drivers/redis"
	goredis "github.com/redis/go-redis/v9"
)

func Example() {
	store, err := checkpoint.Open("redis", "redis://localhost:6379/0?ttl=24h&history=20")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	info, err := store.Save(context.Background(), "user-123", map[string]int{"step": 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Thread, info.Version)
}

// A program that has a client gives it to the store, and closes it afterwards.
func ExampleNew() {
	client := goredis.NewClient(&goredis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	store := checkpoint.New(redis.New(client, redis.Config{Prefix: "app:"}), checkpoint.WithHistory(20))
	defer store.Close()
	if err := store.Ping(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// Package bareclient does with a database's own client the least that moves a
// state there and back, so that the cost of a driver can be told from that of
// its database.
package bareclient

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/go-ckpt/checkpoint/driver/dsn"
)

// A Client saves and loads with as durable a write as the driver makes.
type Client interface {
	// Does says what Save and Load are, in a few words.
	Does() (save, load string)

	Save(ctx context.Context, key string, payload []byte) error
	Load(ctx context.Context, key string) ([]byte, error)

	// Close removes what was saved and closes the client.
	Close(ctx context.Context) error
}

// Open opens the bare client for the database of a store's URL, less the words of
// package checkpoint. It makes a table, a file or keys of its own. An error that
// matches errors.ErrUnsupported says that there is none for this database.
func Open(ctx context.Context, url string) (Client, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	own := "checkpoint_bench_" + strings.ToLower(rand.Text()[:10])
	switch scheme {
	case "sqlite":
		return openSQLite(ctx, url, own)
	case "postgres", "postgresql":
		return openPostgres(ctx, url, own)
	case "redis", "rediss":
		return openRedis(url, own)
	case "valkey", "valkeys":
		return openRedis("redis"+strings.TrimPrefix(scheme, "valkey")+":"+rest, own)
	case "dynamodb":
		return openDynamoDB(ctx, url, own)
	}
	return nil, fmt.Errorf("%w: there is no bare client for a URL that starts with %q; there is for sqlite, postgres, dynamodb and redis (a single server)", errors.ErrUnsupported, scheme)
}

// without returns a URL without some of its words.
func without(url string, names ...string) string {
	base, query := dsn.Split(url)
	words, err := dsn.Parse(query)
	if err != nil {
		return url
	}
	for _, name := range names {
		words.String(name)
	}
	if rest := words.Rest(); rest != "" {
		base += "?" + rest
	}
	return base
}

// redisClient is SET and GET.
type redisClient struct {
	*redis.Client
	prefix string
	keys   sync.Map // what was saved
}

func openRedis(url, own string) (Client, error) {
	opts, err := redis.ParseURL(without(url, "prefix", "shards"))
	if err != nil {
		return nil, errors.New("the Redis client cannot read this URL") // its error may show a password
	}
	return &redisClient{Client: redis.NewClient(opts), prefix: own + ":"}, nil
}

func (*redisClient) Does() (save, load string) { return "SET", "GET" }

func (c *redisClient) Save(ctx context.Context, key string, payload []byte) error {
	c.keys.Store(key, nil)
	return c.Set(ctx, c.prefix+key, payload, 0).Err()
}

func (c *redisClient) Load(ctx context.Context, key string) ([]byte, error) {
	return c.Get(ctx, c.prefix+key).Bytes()
}

func (c *redisClient) Close(ctx context.Context) error {
	var err error
	c.keys.Range(func(key, _ any) bool {
		err = errors.Join(err, c.Del(ctx, c.prefix+key.(string)).Err())
		return true
	})
	return errors.Join(err, c.Client.Close())
}

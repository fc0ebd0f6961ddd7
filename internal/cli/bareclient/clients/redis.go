package clients

import (
	"context"
	"errors"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/go-ckpt/checkpoint/internal/cli/bareclient"
)

// redisClient is SET and GET.
type redisClient struct {
	*redis.Client
	prefix string
	keys   sync.Map // what was saved
}

func openRedis(_ context.Context, url, own string) (bareclient.Client, error) {
	opts, err := redis.ParseURL(bareclient.Without(url, "prefix", "shards"))
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

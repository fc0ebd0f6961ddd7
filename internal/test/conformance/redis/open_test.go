package redis_test

import (
	"testing"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/drivers/redis"
)

func TestOpen(t *testing.T) {
	checkpointtest.RunDriver(t, redis.Driver{}, checkpointtest.DSNs{
		Names: []string{
			"redis", "rediss", "valkey", "valkeys", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster",
		},
		Valid: []string{
			"redis://user:s3cret@localhost:6379/0", "redis://localhost", "rediss://user:s3cret@localhost", "valkey://localhost", "valkeys://localhost",
			"redis+sentinel://user:s3cret@one:26379/0?addr=two:26379&master_name=main", "rediss+sentinel://one:26379?master_name=main",
			"redis+cluster://user:s3cret@one:7000?addr=two:7000&shards=64", "rediss+cluster://one:7000",
		},
		Invalid: []string{
			"", "localhost:6379", "redis://user:s3cret@localhost:port", "redis://user:s3cret@localhost/zero", "redis+sentinel://user:s3cret@one:26379",
		},
		Words:  []string{"prefix=app", "dial_timeout=2s", "pool_size=3"},
		Secret: "s3cret",
		Server: func(address string) string { return "redis://user:s3cret@" + address },
	})
}

// Command dapr is Dapr's state components in package peers: each by itself, without the
// sidecar that stands between it and a program.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/dapr/components-contrib/metadata"
	"github.com/dapr/components-contrib/state"
	"github.com/dapr/components-contrib/state/aws/dynamodb"
	"github.com/dapr/components-contrib/state/postgresql/v2"
	"github.com/dapr/components-contrib/state/redis"
	"github.com/dapr/components-contrib/state/sqlite"
	"github.com/dapr/kit/logger"

	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
	"github.com/go-ckpt/checkpoint/internal/test/peers/others/local"
	"github.com/go-ckpt/checkpoint/internal/test/peers/worker"
)

const table = "peers-dapr"

func main() { worker.Main(open) }

type component struct{ state.Store }

func open(ctx context.Context, database, address string) (worker.Store, error) {
	log := logger.NewLogger("peers")
	log.SetOutput(io.Discard)
	var s state.Store
	var properties map[string]string
	switch database {
	case "sqlite":
		s = sqlite.NewSQLiteStateStore(log)
		properties = map[string]string{"connectionString": address}
	case "redis":
		u, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		password, _ := u.User.Password()
		s = redis.NewRedisStateStore(log)
		properties = map[string]string{"redisHost": u.Host, "redisPassword": password, "poolSize": "10"}
	case "postgres":
		s = postgresql.NewPostgreSQLStateStore(log)
		properties = map[string]string{"connectionString": address, "maxConns": "10"}
	case "dynamodb":
		if err := local.CreateTable(ctx, address, table, "key"); err != nil {
			return nil, err
		}
		s = dynamodb.NewDynamoDBStateStore(log)
		properties = map[string]string{"endpoint": address, "table": table, "region": local.Region, "accessKey": "peers", "secretKey": "peers"}
	default:
		return nil, fmt.Errorf("dapr: no component for %q is measured", database)
	}
	return component{s}, s.Init(ctx, state.Metadata{Base: metadata.Base{Properties: properties}})
}

func (c component) Save(ctx context.Context, thread string, s *agentstate.State) error {
	return c.Set(ctx, &state.SetRequest{Key: thread, Value: s})
}

func (c component) Load(ctx context.Context, thread string, s *agentstate.State) error {
	resp, err := c.Get(ctx, &state.GetRequest{Key: thread, Options: state.GetStateOption{Consistency: state.Strong}})
	if err != nil {
		return err
	}
	if len(resp.Data) == 0 {
		return errors.New("dapr: no such key")
	}
	return json.Unmarshal(resp.Data, s)
}

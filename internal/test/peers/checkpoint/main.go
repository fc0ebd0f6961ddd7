// Command checkpoint is this project in package peers.
package main

import (
	"context"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/dynamodb"
	_ "github.com/go-ckpt/checkpoint/drivers/postgres"
	_ "github.com/go-ckpt/checkpoint/drivers/redis"
	_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
	"github.com/go-ckpt/checkpoint/internal/test/peers/worker"
)

func main() { worker.Main(open) }

type ours struct{ store *checkpoint.Store }

// open opens this project's store as it is without any word of the caller's.
func open(ctx context.Context, database, address string) (worker.Store, error) {
	dsn := address
	if database == "dynamodb" {
		dsn = "dynamodb://peers-checkpoint?create_table=true&region=us-east-1&endpoint=" + address
	}
	s, err := checkpoint.Open(database, dsn)
	if err != nil {
		return nil, err
	}
	return ours{s}, s.Ping(ctx)
}

func (s ours) Save(ctx context.Context, thread string, state *agentstate.State) error {
	_, err := s.store.Save(ctx, thread, state)
	return err
}

func (s ours) Load(ctx context.Context, thread string, state *agentstate.State) error {
	_, err := s.store.Load(ctx, thread, state)
	return err
}

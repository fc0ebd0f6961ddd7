package trpc_test

import (
	"context"
	"fmt"

	"trpc.group/trpc-go/trpc-agent-go/graph"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/adapters/trpc"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
)

// What an executor does with its saver, given by graph.WithCheckpointSaver or
// graphagent.WithCheckpointSaver.
func Example() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	saver := trpc.NewSaver(store)
	manager := graph.NewCheckpointManager(saver)
	config := graph.CreateCheckpointConfig("order-17", "", "")
	manager.CreateCheckpoint(ctx, config, graph.State{"step": "drafted"}, graph.CheckpointSourceLoop, 1)
	latest, err := saver.GetTuple(ctx, config)
	fmt.Println(latest.Checkpoint.ChannelValues["step"], latest.Metadata.Step, err)
	// Output: drafted 1 <nil>
}

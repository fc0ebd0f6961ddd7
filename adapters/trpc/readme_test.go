package trpc_test

import (
	"trpc.group/trpc-go/trpc-agent-go/agent/graphagent"
	"trpc.group/trpc-go/trpc-agent-go/graph"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/adapters/trpc"
)

// What the README shows.
var _ = func(store *checkpoint.Store, g *graph.Graph) {
	// trpc-agent-go: checkpoints of graphs
	agent, err := graphagent.New("assistant", g,
		graphagent.WithCheckpointSaver(trpc.NewSaver(store)))

	_, _ = agent, err
}

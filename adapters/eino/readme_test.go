package eino_test

import (
	"context"

	"github.com/cloudwego/eino/compose"

	"github.com/go-ckpt/checkpoint"
)

// What the README shows.
var _ = func(ctx context.Context, store *checkpoint.Store, graph *compose.Graph[string, string]) {
	// Eino: graphs that stop and resume; the store fits as it is
	runnable, err := graph.Compile(ctx,
		compose.WithCheckPointStore(store.Blobs()))

	_, _ = runnable, err
}

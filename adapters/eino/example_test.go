package eino_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/cloudwego/eino/compose"

	"github.com/go-ckpt/checkpoint"
)

// A graph that stops before its last node, and goes on with the id of the run.
func Example() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	graph := compose.NewGraph[string, string]()
	graph.AddLambdaNode("approve", compose.InvokableLambda(func(_ context.Context, in string) (string, error) { return strings.ToUpper(in), nil }))
	graph.AddEdge(compose.START, "approve")
	graph.AddEdge("approve", compose.END)
	r, _ := graph.Compile(ctx, compose.WithCheckPointStore(store.Blobs()), compose.WithInterruptBeforeNodes([]string{"approve"}))
	_, err := r.Invoke(ctx, "letter", compose.WithCheckPointID("order-17"))
	_, stopped := compose.ExtractInterruptInfo(err)
	out, err := r.Invoke(ctx, "", compose.WithCheckPointID("order-17"))
	fmt.Println(stopped, out, err, store.Blobs().Delete(ctx, "order-17"))
	// Output: true LETTER <nil> <nil>
}

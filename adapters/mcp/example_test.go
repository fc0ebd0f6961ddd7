package mcp_test

import (
	"context"
	"fmt"
	"time"

	"github.com/go-ckpt/checkpoint"
	events "github.com/go-ckpt/checkpoint/adapters/mcp"
)

// What a server does with its event store, by way of mcp.StreamableHTTPOptions: a
// client that has seen event 0 comes back for the rest.
func Example() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	s := events.New(store, time.Hour)
	s.Open(ctx, "session", "stream")
	for _, e := range []string{"working", "nearly there", "done"} {
		s.Append(ctx, "session", "stream", []byte(e))
	}
	for e, err := range s.After(ctx, "session", "stream", 0) {
		fmt.Println(string(e), err)
	}
	// Output:
	// nearly there <nil>
	// done <nil>
}

package genkit_test

import (
	"context"
	"fmt"

	aix "github.com/firebase/genkit/go/ai/exp"

	"github.com/go-ckpt/checkpoint"
	sessions "github.com/go-ckpt/checkpoint/adapters/genkit"
)

// A conversation goes on with the session's id, on any server with this store.
func Example() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	agent := define(ctx, sessions.NewSessions[custom](store), nothing) // with aix.WithSessionStore
	out, _ := agent.RunText(ctx, "hello")
	out, err := agent.RunText(ctx, "and again", aix.WithSessionID[custom](out.SessionID))
	fmt.Println(out.Message.Text(), err)
	// Output: turn 2 <nil>
}

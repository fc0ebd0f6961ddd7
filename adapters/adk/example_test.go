package adk_test

import (
	"context"
	"fmt"

	"google.golang.org/adk/v2/session"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/adapters/adk"
)

// What a runner does with its session service, given by runner.Config.
func Example() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	sessions := adk.NewSessions(store)
	created, _ := sessions.Create(ctx, &session.CreateRequest{AppName: "app", UserID: "ada", SessionID: "s"})
	event := session.NewEvent(ctx, "invocation")
	event.Actions.StateDelta = map[string]any{"step": "drafted", "user:language": "en"}
	sessions.AppendEvent(ctx, created.Session, event)
	got, err := sessions.Get(ctx, &session.GetRequest{AppName: "app", UserID: "ada", SessionID: "s"})
	language, _ := got.Session.State().Get("user:language")
	fmt.Println(got.Session.Events().Len(), language, err)
	// Output: 1 en <nil>
}

package a2a_test

import (
	"context"
	"fmt"

	protocol "github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2asrv"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/adapters/a2a"
)

// A server whose tasks are in a store, and another one on the same store.
func Example() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	agent := executor{func(*a2asrv.ExecutorContext) {}}
	one := a2asrv.NewHandler(agent, a2asrv.WithTaskStore(a2a.NewTasks(store, nil)))
	two := a2asrv.NewHandler(agent, a2asrv.WithTaskStore(a2a.NewTasks(store, nil)))
	message := protocol.NewMessage(protocol.MessageRoleUser, protocol.NewTextPart("hello"))
	result, _ := one.SendMessage(ctx, &protocol.SendMessageRequest{Message: message})
	task, err := two.GetTask(ctx, &protocol.GetTaskRequest{ID: result.(*protocol.Task).ID})
	fmt.Println(task.Status.State == protocol.TaskStateCompleted, err)
	// Output: true <nil>
}

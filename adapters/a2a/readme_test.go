package a2a_test

import (
	"github.com/a2aproject/a2a-go/v2/a2asrv"
	"github.com/a2aproject/a2a-go/v2/a2asrv/push"
	"github.com/a2aproject/a2a-go/v2/a2asrv/taskstore"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/adapters/a2a"
)

// What the README shows.
var _ = func(store *checkpoint.Store, executor a2asrv.AgentExecutor, authenticator taskstore.Authenticator, sender push.Sender) {
	// A2A: tasks and push configurations
	handler := a2asrv.NewHandler(executor,
		a2asrv.WithTaskStore(a2a.NewTasks(store, authenticator)),
		a2asrv.WithPushNotifications(a2a.NewPushConfigs(store), sender))

	_ = handler
}

// Package a2a keeps the tasks of an A2A server (github.com/a2aproject/a2a-go/v2) in a
// checkpoint store, so that a task outlives the server, and several servers work on one
// database.
//
//	store, err := checkpoint.Open("postgres", dsn)
//	handler := a2asrv.NewHandler(executor,
//		a2asrv.WithTaskStore(a2a.NewTasks(store, authenticator)),
//		a2asrv.WithPushNotifications(a2a.NewPushConfigs(store), sender),
//	)
//
// # Tasks
//
// An update is one round trip and carries the version that the server knows as its
// condition: of two servers that update one task at the same time one gets
// taskstore.ErrConcurrentModification. An update whose outcome is not known is repeated,
// and applied once.
//
// A user's tasks are kept apart by name: whatever id another user gives, it finds
// nothing. [Tasks.List] reads the names and the metadata of the user's tasks, and the
// tasks of the page alone.
//
// Numbers in metadata come back as float64, as they do over the protocol.
//
// # Leases
//
// [NewLeases] keeps two servers of a cluster from executing one task at the same time,
// by package lease. When a lease is lost, the heartbeat of the work fails.
//
// # Threads
//
// In the store's namespace the threads are "task/USER/ID" and "push/TASK/CONFIG", the
// parts escaped as in the path of a URL; leases are records of "execute/TASK" and
// "cancel/TASK". The store's TTL holds for tasks, counted from their last update, and
// for push configurations.
package a2a

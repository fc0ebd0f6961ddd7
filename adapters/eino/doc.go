// Package eino shows how graphs and agents of Eino (github.com/cloudwego/eino) keep
// their checkpoints in a checkpoint store. There is nothing to import: Store.Blobs has
// the methods of compose.CheckPointStore, Delete included.
//
//	store, err := checkpoint.Open("redis", "redis://localhost:6379/0?ttl=168h")
//	runnable, err := graph.Compile(ctx,
//		compose.WithCheckPointStore(store.Blobs()),
//		compose.WithInterruptBeforeNodes([]string{"approve"}))
//	_, err = runnable.Invoke(ctx, input, compose.WithCheckPointID("order-17"))
//	// … days later, in another process:
//	out, err := runnable.Invoke(ctx, input, compose.WithCheckPointID("order-17"))
//	err = store.Blobs().Delete(ctx, "order-17")
//
// Three things to know:
//
//   - Eino keeps the checkpoint of a run that has resumed: the next Invoke with its id
//     resumes from the same place once more, and answers the same. Delete it when the
//     run is over.
//   - Two workers that resume one id both run the rest of the graph. Hold a lease on the
//     id meanwhile (package lease); or, where a run that dies on the way may be lost, take
//     the checkpoint with Blobs.Take, which gives it to one of them.
//   - A checkpoint that is never resumed stays: give the store a TTL.
//
// The tests of this package run all of it.
package eino

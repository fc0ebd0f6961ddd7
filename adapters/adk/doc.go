// Package adk keeps the sessions and artifacts of the Agent Development Kit
// (google.golang.org/adk/v2) in a checkpoint store: in Redis, PostgreSQL, DynamoDB,
// SQLite or memory, whichever the store was opened with.
//
//	store, err := checkpoint.Open("postgres", dsn)
//	r, err := runner.New(runner.Config{
//		AppName:         "assistant",
//		Agent:           agent,
//		SessionService:  adk.NewSessions(store),
//		ArtifactService: adk.NewArtifacts(store),
//	})
//
// # Sessions
//
// A session is a log: one version of a thread for each event, appended on the
// condition that the session is as the caller knows it. Appending costs what the
// event costs, however long the session is. Events come back in the order in which
// they were appended, also those of one instant.
//
// An append to a session that has changed since it was got is refused with an error
// that matches [ErrStale]: two replicas that answer the same user do not mix their
// histories. Get the session again, and decide. [MergeStale] appends such events
// behind the others instead.
//
// An event is appended once, whatever is repeated: its ID is the id of the save. So
// an append whose outcome is not known can be repeated.
//
// State keys with the prefix "app:" and "user:" are shared by the sessions of an
// application and of a user, those with "temp:" are never stored. The event is
// written first, then the shared state; when that fails AppendEvent returns the error,
// and repeating the append of the same event completes it.
//
// [Sessions.List] returns the sessions without events and state. The store's TTL holds
// for each session, counted from its last event, and for the shared state, counted
// from its last change.
//
// # Threads
//
// In the store's namespace the threads are "session/APP/USER/SESSION", "app/APP",
// "user/APP/USER" and "artifact/APP/USER/SESSION/FILE", each part escaped as in the
// path of a URL; together a name has 512 bytes at most.
package adk

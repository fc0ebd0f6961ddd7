// Package genkit keeps the sessions of Genkit's agents (github.com/firebase/genkit/go)
// in a checkpoint store: in Redis, PostgreSQL, DynamoDB, SQLite or memory, whichever
// the store was opened with. Genkit calls that part of it experimental (v1.13.1).
//
//	store, err := checkpoint.Open("postgres", "postgres://agents@db/agents?ttl=720h")
//	agent := exp.DefineAgent(g, "assistant", prompt,
//		aix.WithSessionStore(sessions.NewSessions[State](store))) // this package, imported as sessions
//
// # Snapshots
//
// A snapshot is a thread. Of writers that change one at the same time each sees what
// the others have written: its function runs again, as Genkit allows, until the
// database has decided for it. Nothing is overwritten unseen.
//
// What is a session's latest snapshot stands in a thread of the session, written after
// the snapshot. A process that dies between the two leaves the session with the
// snapshot before; saving the same snapshot again completes it. A save whose outcome is
// not known is repeated under the id of the first attempt.
//
// Status, times and ids are read without the state ([exp.SnapshotMetadataReader]): they
// stand in the metadata of the thread, which is not encrypted; errors do not.
//
// # Status changes
//
// [Sessions.OnSnapshotStatusChange] asks the database, at first every 50 ms and less and
// less often, every 2 s at last. So an invocation that was detached on one server is
// aborted from another.
//
// # Threads
//
// In the store's namespace the threads are "snapshot/SNAPSHOT" and "session/SESSION".
// The store's TTL holds for each snapshot, counted from its last change, and for the
// session, counted from the last change of its latest snapshot. Genkit deletes nothing;
// [Sessions.DeleteSession] does.
package genkit

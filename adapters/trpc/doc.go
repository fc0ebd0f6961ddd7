// Package trpc keeps the checkpoints of trpc-agent-go's graphs
// (trpc.group/trpc-go/trpc-agent-go) in a checkpoint store: in Redis, PostgreSQL,
// DynamoDB, SQLite or memory, whichever the store was opened with.
//
//	store, err := checkpoint.Open("postgres", "postgres://agents@db/agents?ttl=168h")
//	agent, err := graphagent.New("assistant", g,
//		graphagent.WithCheckpointSaver(trpc.NewSaver(store)))
//
// # Lineages
//
// A lineage is a log: one version of a thread for each checkpoint, of all its
// namespaces. Putting a checkpoint is one round trip, whatever the length of the
// lineage; reading the latest one, or one by its id, is two as long as it is among the
// newest hundred. Deleting a lineage is one step: all of it is gone, or nothing.
//
// Newest is what was put last. Neither equal timestamps nor clocks that differ change
// that. A checkpoint that is put again under its id replaces the one before, so that a
// put whose outcome is not known can be repeated.
//
// A configuration with a namespace means that namespace alone; without the key it
// means all of them, and so does the empty namespace where there is a checkpoint's id,
// and in List. What is absent is nil and no error, as in the framework's own savers.
//
// [Saver.List] applies the limit after every filter. Metadata is compared as JSON, so
// that a filter on 1 finds 1. Numbers come back as [encoding/json.Number], which keeps
// all their digits.
//
// # Resuming
//
// When the database cannot be reached at that moment, the executor of v1.11.2 logs it
// at debug level and starts the graph over, unless a checkpoint was asked for. Ask for
// the latest: with the key graph.CfgKeyCheckpointID in the state, "" its value, the
// run fails with an error instead.
//
// # Threads
//
// In the store's namespace the thread of a lineage is "lineage/LINEAGE". The store's TTL
// counts from the last checkpoint of the lineage. All checkpoints are kept, unless
// [Keep] says otherwise. States that grow from step to step are stored as what changed
// with checkpoint.WithIncremental.
package trpc

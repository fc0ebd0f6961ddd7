// Package mcp keeps the events of MCP servers (github.com/modelcontextprotocol/go-sdk)
// in a checkpoint store, so that a client whose connection broke gets what it missed,
// whichever replica of the server it comes back to, and so that the memory of a
// server does not bound what can be replayed.
//
//	store, err := checkpoint.Open("redis", "redis://localhost:6379/0")
//	handler := mcp.NewStreamableHTTPHandler(getServer, &mcp.StreamableHTTPOptions{
//		EventStore: events.New(store, time.Hour), // this package, imported as events
//	})
//
// # Events
//
// A stream is a log: one version of a thread for each event, and the version tells the
// index of the event. An append is one round trip. An append whose outcome is not
// known is repeated under the id of the first attempt, so that an event is there once
// and indexes stay those that the server has told its client.
//
// Events live for the TTL, counted from the last one of their stream; a server that is
// killed never closes its sessions, so there is no living without one. When they have
// expired, or [Keep] has dropped them, a replay is an error that matches
// mcp.ErrEventsPurged, never a part of what is asked for. [Store.Purge] removes what
// has expired from databases that do not do so by themselves.
//
// What is kept are the events. A server that has restarted answers a live session's id
// with 404 all the same (go-sdk v1.8.0), since sessions are in its memory: the client
// starts a new one.
//
// # Threads
//
// In the store's namespace the threads are "session/SESSION/STREAM", the parts escaped
// as in the path of a URL. Their states are [checkpoint.Bytes].
package mcp

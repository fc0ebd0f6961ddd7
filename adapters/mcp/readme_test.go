package mcp_test

import (
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/go-ckpt/checkpoint"
	events "github.com/go-ckpt/checkpoint/adapters/mcp"
)

// What the README shows.
var _ = func(store *checkpoint.Store, getServer func(*http.Request) *mcp.Server) {
	// MCP: the events that a client has missed (adapters/mcp, imported as events)
	handler := mcp.NewStreamableHTTPHandler(getServer, &mcp.StreamableHTTPOptions{
		EventStore: events.New(store, time.Hour)})

	_ = handler
}

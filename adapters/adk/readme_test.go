package adk_test

import (
	"google.golang.org/adk/v2/agent"
	"google.golang.org/adk/v2/runner"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/adapters/adk"
)

// What the README shows.
var _ = func(store *checkpoint.Store, agent agent.Agent) {
	// ADK: sessions and artifacts
	r, err := runner.New(runner.Config{AppName: "assistant", Agent: agent,
		SessionService:  adk.NewSessions(store),
		ArtifactService: adk.NewArtifacts(store)})

	_, _ = r, err
}

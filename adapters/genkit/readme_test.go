package genkit_test

import (
	aix "github.com/firebase/genkit/go/ai/exp"
	"github.com/firebase/genkit/go/genkit"
	"github.com/firebase/genkit/go/genkit/exp"

	"github.com/go-ckpt/checkpoint"
	sessions "github.com/go-ckpt/checkpoint/adapters/genkit"
)

// What the README shows.
func _[State any](store *checkpoint.Store, g *genkit.Genkit, prompt aix.InlinePrompt) {
	// Genkit: sessions (adapters/genkit, imported as sessions)
	agent := exp.DefineAgent(g, "assistant", prompt,
		aix.WithSessionStore(sessions.NewSessions[State](store)))

	_ = agent
}

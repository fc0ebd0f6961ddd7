package cli

import (
	"context"
	"fmt"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

// growingThread names the thread of the operation i on states that grow.
func growingThread(i int) string { return fmt.Sprintf("growing-%03d", i%benchThreads) }

// incrementalOperations returns saves that write what changed, and loads of what they
// have saved.
func (b *benchmark) incrementalOperations(store *checkpoint.Store) []operation {
	whole := agentstate.New(b.size, 3)
	return []operation{
		{"incremental save", func(ctx context.Context, i int) error {
			info, err := store.Save(ctx, growingThread(i), grown(whole, i/benchThreads))
			b.written.Add(int64(info.Size))
			return err
		}},
		{"incremental load", func(ctx context.Context, i int) error {
			_, err := store.Load(ctx, growingThread(i), new(agentstate.State))
			return err
		}},
	}
}

// grown returns a state after that many steps: a message comes with each, a counter
// changes, and when all messages are there half of them go, and come again.
func grown(s agentstate.State, steps int) agentstate.State {
	half := len(s.Messages) / 2
	s.Step = steps
	s.Messages = s.Messages[:half+steps%(len(s.Messages)-half+1)]
	s.Usage.Input += steps
	return s
}

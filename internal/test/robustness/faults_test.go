package robustness

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// pause waits for a random part of a time, or until ctx ends.
func pause(ctx context.Context, r *rand.Rand, most time.Duration) {
	select {
	case <-time.After(time.Duration(r.Int64N(int64(most)))):
	case <-ctx.Done():
	}
}

// networkFaults are what a network does to the connections through a proxy.
func networkFaults(p *faultproxy.Proxy) []fault {
	return []fault{
		{name: "replies dropped", strike: func(ctx context.Context, r *rand.Rand, _ string) {
			for range 5 {
				p.DropReply(1 + r.IntN(2))
				pause(ctx, r, 50*time.Millisecond)
			}
			p.Heal()
		}},
		{name: "requests dropped", strike: func(ctx context.Context, r *rand.Rand, _ string) {
			for range 5 {
				p.CutRequest(1 + r.IntN(2))
				pause(ctx, r, 50*time.Millisecond)
			}
			p.Heal()
		}},
		{name: "connections cut", strike: func(ctx context.Context, r *rand.Rand, _ string) {
			for range 5 {
				p.Cut()
				pause(ctx, r, 50*time.Millisecond)
			}
		}},
		{name: "connections refused", strike: func(ctx context.Context, r *rand.Rand, _ string) {
			p.Refuse(true)
			p.Cut()
			pause(ctx, r, 500*time.Millisecond)
			p.Heal()
		}},
		{name: "delay", strike: func(ctx context.Context, r *rand.Rand, _ string) {
			p.Delay(time.Duration(1+r.IntN(20)) * time.Millisecond)
			pause(ctx, r, 300*time.Millisecond)
			p.Heal()
		}},
		{name: "black hole", strike: func(ctx context.Context, r *rand.Rand, _ string) {
			p.BlackHole(true)
			pause(ctx, r, time.Second)
			p.Cut() // what was sent is lost
			p.Heal()
		}},
		{name: "black hole with late delivery", strike: func(ctx context.Context, r *rand.Rand, _ string) {
			p.BlackHole(true)
			pause(ctx, r, time.Second)
			p.Heal() // what was sent arrives now
		}},
		{name: "replies held and lost", strike: func(ctx context.Context, r *rand.Rand, _ string) {
			p.HoldReplies(true)
			pause(ctx, r, 300*time.Millisecond)
			p.Cut()
			p.Heal()
		}},
	}
}

// serverFaults are what happens to one server that keeps what it acknowledged.
func serverFaults(p *testserver.Process) []fault {
	return []fault{
		{name: "server killed", strike: func(ctx context.Context, r *rand.Rand, _ string) {
			p.Kill()
			pause(ctx, r, 200*time.Millisecond)
			p.Restart()
		}},
		{name: "server hangs", strike: func(ctx context.Context, r *rand.Rand, _ string) {
			p.Pause()
			pause(ctx, r, time.Second)
			p.Resume()
		}},
	}
}

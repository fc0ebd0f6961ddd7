package redis

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
	"github.com/redis/go-redis/v9"
)

// Where all connections are in use, an operation has to wait for one. Those that
// send one small command and get a small answer wait together: the next free
// connection takes all of them as one pipeline. Client and server then read and write
// once for many, and none waits longer than it would have for a connection of its own.
// As long as there are connections enough, nothing travels in a batch.
//
// A cluster's commands go to many servers, of which one may be down, and a client
// handed to New takes no notice of contexts: neither has batches.

// maxBatch is how many commands travel together.
const maxBatch = 64

// A sender sends a command and waits for its answer. After an error other than an
// answer of the server, the command must not be looked at: it may still be on its way.
type sender func(context.Context, redis.Cmder) error

// batches are those of one backend.
type batches struct {
	mu   sync.Mutex
	open *batch // what waits for a connection and takes more commands, or nil

	// The last batch had several commands. Its callers come back at about the same
	// time: the first one had better wait for the others than take the connection.
	crowded atomic.Bool
}

// A batch is what travels together.
type batch struct {
	created  time.Time
	abandon  context.CancelFunc // ends the waiting
	done     chan struct{}      // closed when the answers are there
	err      error              // why nothing was sent; set before done is closed
	commands []redis.Cmder      // nil where the caller has left; batches.mu guards it until the departure
	callers  int
	departed bool
}

// enterAlone takes a place in the queue for an operation that need not travel with
// others.
func (b *backend) enterAlone() bool { return !b.batches.crowded.Load() && b.queue.TryEnter() }

// batched reports whether operations may travel together.
func (b *backend) batched() bool { return b.calls != nil && b.cluster == nil }

// join is a sender: it sends the command with those of other callers. The payload is
// copied, for the command may be written after its caller's context has ended.
func (b *backend) join(ctx context.Context, cmd redis.Cmder) error {
	args := cmd.Args()
	if payload, ok := args[len(args)-1].(*blob); ok {
		payload.data = bytes.Clone(payload.data)
	}
	bs := &b.batches
	bs.mu.Lock()
	if bs.open == nil || len(bs.open.commands) == maxBatch {
		waiting, abandon := context.WithCancel(context.Background())
		bs.open = &batch{created: time.Now(), abandon: abandon, done: make(chan struct{})}
		go b.depart(waiting, bs.open)
	}
	with := bs.open
	place := len(with.commands)
	with.commands = append(with.commands, cmd)
	with.callers++
	bs.mu.Unlock()

	select {
	case <-with.done:
		if with.err != nil {
			return with.err
		}
		return cmd.Err()
	case <-ctx.Done():
		bs.leave(with, place)
		return backends.Ended(ctx)
	}
}

// leave takes a command back that was not sent yet. A batch that all have left
// does not wait any longer.
func (bs *batches) leave(with *batch, place int) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	if with.departed {
		return
	}
	with.commands[place] = nil
	if with.callers--; with.callers == 0 {
		if bs.open == with {
			bs.open = nil
		}
		with.abandon()
	}
}

// departs ends the boarding and returns what is to be sent.
func (bs *batches) departs(with *batch) (commands []redis.Cmder) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	if bs.open == with {
		bs.open = nil
	}
	with.departed = true
	for _, cmd := range with.commands {
		if cmd != nil {
			commands = append(commands, cmd)
		}
	}
	return commands
}

// depart waits for a connection and sends the batch.
func (b *backend) depart(ctx context.Context, with *batch) {
	defer close(with.done)
	defer with.abandon()
	start, err := b.enter(ctx, with.created)
	runtime.Gosched() // those that are ready to join do
	commands := b.batches.departs(with)
	b.batches.crowded.Store(len(commands) > 1)
	if err != nil {
		with.err = err
		return
	}
	answered := false
	defer func() { b.leave(answered) }()
	if len(commands) == 0 {
		return
	}
	bounded, cancel := context.WithDeadline(context.Background(), start.Add(patience))
	defer cancel()
	err = b.calls.run(bounded, b.within, func(ctx context.Context) error {
		if len(commands) == 1 {
			return b.client.Process(ctx, commands[0])
		}
		pipe := b.client.Pipeline()
		for _, cmd := range commands {
			pipe.Process(ctx, cmd)
		}
		_, err := pipe.Exec(ctx)
		return err
	})
	failed := false
	for _, cmd := range commands {
		if err := cmd.Err(); err != nil {
			_, ok := answer(err)
			answered, failed = answered || ok, failed || !ok
		} else {
			answered = true
		}
	}
	if _, ok := answer(err); err != nil && !ok && !failed {
		// No command tells of it, and an answer that was not read looks like an
		// empty one.
		with.err = fmt.Errorf("%w: %s", driver.ErrUnavailable, network(err))
	}
}

package checkpoint_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint"
)

func ExampleWithNamespace() {
	store, _ := checkpoint.Open("memory", "", checkpoint.WithNamespace("acme"))
	defer store.Close()

	fmt.Println(store.InNamespace())
	// Output: acme
}

// A test moves the time on instead of waiting.
func ExampleWithClock() {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	store, _ := checkpoint.Open("memory", "?ttl=24h", checkpoint.WithClock(func() time.Time { return now }))
	defer store.Close()

	ctx := context.Background()
	store.Save(ctx, "user-123", Agent{})
	now = now.Add(24 * time.Hour)
	_, err := store.Stat(ctx, "user-123")
	fmt.Println(errors.Is(err, checkpoint.ErrNotFound))
	// Output: true
}

// Every save gives the thread another hour.
func ExampleWithTTL() {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	store, _ := checkpoint.Open("memory", "", checkpoint.WithTTL(time.Hour), checkpoint.WithClock(func() time.Time { return now }))
	defer store.Close()

	info, _ := store.Save(context.Background(), "user-123", Agent{})
	fmt.Println(info.ExpiresAt.Format(time.TimeOnly))
	// Output: 01:00:00
}

func ExampleWithHistory() {
	store, _ := checkpoint.Open("memory", "", checkpoint.WithHistory(2))
	defer store.Close()

	ctx := context.Background()
	for range 3 {
		store.Save(ctx, "user-123", Agent{})
	}
	for info := range store.History(ctx, "user-123", checkpoint.HistoryOptions{}) {
		fmt.Println("version", info.Version)
	}
	// Output:
	// version 3
	// version 2
}

func ExampleWithMaxStateSize() {
	store, _ := checkpoint.Open("memory", "", checkpoint.WithMaxStateSize(1<<10))
	defer store.Close()

	_, err := store.Save(context.Background(), "user-123", strings.Repeat("word ", 1000))
	fmt.Println(errors.Is(err, checkpoint.ErrTooLarge))
	// Output: true
}

// A conversation that grows is saved as what has been added to it.
func ExampleWithIncremental() {
	store, _ := checkpoint.Open("memory", "", checkpoint.WithIncremental())
	defer store.Close()

	ctx := context.Background()
	agent := Agent{Plan: strings.Fields(strings.Repeat("read ", 1000))}
	whole, _ := store.Save(ctx, "user-123", agent)
	agent.Done++
	patch, _ := store.Save(ctx, "user-123", agent)
	fmt.Println(patch.Base == whole.Version, patch.Size < whole.Size/10)
	// Output: true true
}

// The states that incremental saves compare with are remembered within this bound.
func ExampleWithIncrementalMemory() {
	store, _ := checkpoint.Open("memory", "", checkpoint.WithIncremental(), checkpoint.WithIncrementalMemory(8<<20))
	defer store.Close()

	store.Save(context.Background(), "user-123", strings.Repeat("word ", 1000))
	fmt.Println(store.Stats().IncrementalBytes > 5000)
	// Output: true
}

func ExampleWithEncryption() {
	keyring, _ := checkpoint.NewKeyring([]byte("thirty-two bytes from your vault"))
	store, _ := checkpoint.Open("memory", "memory:sealed", checkpoint.WithEncryption(keyring))
	defer store.Close()
	store.Save(context.Background(), "user-123", Agent{})

	without, _ := checkpoint.Open("memory", "memory:sealed")
	defer without.Close()
	_, err := without.Load(context.Background(), "user-123", new(Agent))
	fmt.Println(errors.Is(err, checkpoint.ErrCorrupt))
	// Output: true
}

// No state is in the log, and no error has a password in it.
func ExampleWithLogger() {
	withoutTimes := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "duration" {
			return slog.Attr{}
		}
		return a
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTimes}))
	store, _ := checkpoint.Open("memory", "", checkpoint.WithLogger(log))
	defer store.Close()

	store.Save(context.Background(), "user-123", Agent{})
	// Output: level=DEBUG msg=checkpoint op=save driver=memory namespace=agents thread=user-123 version=1 bytes=22 error=<nil>
}

// counter is an observer that counts failures.
type counter map[string]int

// Start implements checkpoint.Observer.
func (c counter) Start(ctx context.Context, op checkpoint.Operation) (context.Context, func(checkpoint.Result)) {
	return ctx, func(r checkpoint.Result) {
		if r.Err != nil {
			c[op.Name+" "+checkpoint.ErrorClass(r.Err)]++
		}
	}
}

func ExampleWithObserver() {
	failures := counter{}
	store, _ := checkpoint.Open("memory", "", checkpoint.WithObserver(failures))
	defer store.Close()

	store.Load(context.Background(), "user-123", new(Agent))
	fmt.Println(failures)
	// Output: map[load not_found:1]
}

// A codec for states that are no JSON: its Marshal and Unmarshal call package gob.
func ExampleWithCodec() {
	store, _ := checkpoint.Open("memory", "", checkpoint.WithCodec(gobCodec{"gob"}))
	defer store.Close()

	ctx := context.Background()
	store.Save(ctx, "user-123", Agent{Done: 7})
	agent, info, err := checkpoint.Get[Agent](ctx, store, "user-123")
	fmt.Println(agent.Done, info.Encoding, err)
	// Output: 7 gob <nil>
}

func ExampleJSONNumbers() {
	store, _ := checkpoint.Open("memory", "", checkpoint.WithCodec(checkpoint.JSONNumbers()))
	defer store.Close()

	ctx := context.Background()
	store.Save(ctx, "user-123", json.RawMessage(`{"id": 9007199254740993}`))
	state, _, _ := checkpoint.Get[map[string]any](ctx, store, "user-123")
	fmt.Println(state["id"])
	// Output: 9007199254740993
}

// shout is a compressor that compresses nothing.
type shout struct{}

func (shout) Name() string                                      { return "shout" }
func (shout) Compress(dst, src []byte) []byte                   { return append(dst, src...) }
func (shout) Decompress(dst, src []byte, _ int) ([]byte, error) { return append(dst, src...), nil }

// A compressor that is registered can be named in a data source name.
func ExampleRegisterCompressor() {
	checkpoint.RegisterCompressor(shout{})

	store, err := checkpoint.Open("memory", "?compress=shout")
	fmt.Println(store, err)
	// Output: checkpoint.Store(memory, namespace "agents") <nil>
}

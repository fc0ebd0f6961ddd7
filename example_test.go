package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
)

// Agent is the state of a small agent.
type Agent struct {
	Plan []string `json:"plan"`
	Done int      `json:"done"`
}

func Example() {
	ctx := context.Background()
	store, err := checkpoint.Open("memory", "?history=20")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	if _, err := store.Save(ctx, "user-123", Agent{Plan: []string{"read", "count", "report"}}); err != nil {
		log.Fatal(err)
	}

	// After a crash, a deploy or a week:
	agent, info, err := checkpoint.Get[Agent](ctx, store, "user-123")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("version", info.Version, "next:", agent.Plan[agent.Done])
	// Output: version 1 next: read
}

func ExampleStore_Load() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	var agent Agent
	_, err := store.Load(ctx, "user-123", &agent)
	if errors.Is(err, checkpoint.ErrNotFound) {
		fmt.Println("a new conversation")
	}
	// Output: a new conversation
}

// Two workers have loaded the same checkpoint; the second one to save learns that
// it is too late.
func ExampleIfMatch() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	seen, _ := store.Save(ctx, "user-123", Agent{})
	_, err := store.Save(ctx, "user-123", Agent{Done: 1}, checkpoint.IfMatch(seen.ID))
	fmt.Println("first worker:", err)

	_, err = store.Save(ctx, "user-123", Agent{Done: 1}, checkpoint.IfMatch(seen.ID))
	if conflict, ok := errors.AsType[*checkpoint.ConflictError](err); ok {
		fmt.Println("second worker: the thread is at version", conflict.Current.Version)
	}
	// Output:
	// first worker: <nil>
	// second worker: the thread is at version 2
}

// Update changes a state that others change too.
func ExampleUpdate() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	for range 3 {
		_, err := checkpoint.Update(ctx, store, "user-123", func(a *Agent) error {
			a.Done++
			return nil
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	agent, info, _ := checkpoint.Get[Agent](ctx, store, "user-123")
	fmt.Println(agent.Done, "steps, version", info.Version)
	// Output: 3 steps, version 3
}

func ExampleStore_History() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "?history=all")
	defer store.Close()

	for done := range 3 {
		store.Save(ctx, "user-123", Agent{Done: done}, checkpoint.Metadata(map[string]string{"step": fmt.Sprint(done)}))
	}
	for info, err := range store.History(ctx, "user-123", checkpoint.HistoryOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("version", info.Version, "step", info.Metadata["step"])
	}

	var old Agent
	store.LoadVersion(ctx, "user-123", 2, &old)
	fmt.Println("version 2 had done", old.Done)
	restored, _ := store.Restore(ctx, "user-123", 2)
	fmt.Println("restored as version", restored.Version)
	// Output:
	// version 3 step 2
	// version 2 step 1
	// version 1 step 0
	// version 2 had done 1
	// restored as version 4
}

func ExampleStore_List() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	for _, thread := range []string{"user-2/b", "user-1/a", "user-2/a"} {
		store.Save(ctx, thread, Agent{})
	}
	for info, err := range store.List(ctx, checkpoint.ListOptions{Prefix: "user-2/"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(info.Thread)
	}
	// Output:
	// user-2/a
	// user-2/b
}

// Every tenant has a namespace of its own, on the same connection.
func ExampleStore_Namespace() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	store.Namespace("tenant-a").Save(ctx, "support", Agent{Done: 1})
	_, err := store.Namespace("tenant-b").Stat(ctx, "support")
	fmt.Println(err)
	// Output: checkpoint: stat "support" (memory): not found
}

func ExampleExpiresIn() {
	ctx := context.Background()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	store, _ := checkpoint.Open("memory", "?ttl=24h", checkpoint.WithClock(func() time.Time { return now }))
	defer store.Close()

	info, _ := store.Save(ctx, "user-123", Agent{})
	fmt.Println(info.ExpiresAt)
	info, _ = store.Save(ctx, "user-123", Agent{}, checkpoint.ExpiresIn(0))
	fmt.Println(info.ExpiresAt.IsZero())
	// Output:
	// 2030-01-02 00:00:00 +0000 UTC
	// true
}

func ExampleNewKeyring() {
	ctx := context.Background()
	key := []byte("thirty-two bytes from your vault") // never a constant in a real program
	keyring, err := checkpoint.NewKeyring(key)
	if err != nil {
		log.Fatal(err)
	}
	store, _ := checkpoint.Open("memory", "", checkpoint.WithEncryption(keyring))
	defer store.Close()

	info, _ := store.Save(ctx, "user-123", Agent{})
	fmt.Println(info.Encoding)
	// Output: json+aead
}

// A framework that asks for []byte under an id gets it.
func ExampleStore_Blobs() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	blobs := store.Blobs()
	blobs.Set(ctx, "run-7", []byte{1, 2, 3})
	blob, found, err := blobs.Get(ctx, "run-7")
	fmt.Println(blob, found, err)
	// Output: [1 2 3] true <nil>
}

func ExampleCopy() {
	ctx := context.Background()
	laptop, _ := checkpoint.Open("memory", "?history=all")
	production, _ := checkpoint.Open("memory", "?history=all")
	for done := range 3 {
		laptop.Save(ctx, "user-123", Agent{Done: done})
	}
	stats, err := checkpoint.Copy(ctx, production, laptop, checkpoint.CopyOptions{History: true})
	fmt.Println(stats.Threads, stats.Checkpoints, stats.Skipped, err)
	// Output: 1 3 0 <nil>
}

// A log: each event a version, appended on the condition that the log has not
// grown, and read from where one has got to.
func ExampleStore_Versions() {
	ctx := context.Background()
	store, err := checkpoint.Open("memory", "?history=all")
	if err != nil {
		log.Fatal(err)
	}
	for n, event := range []string{"hello", "hi", "bye"} {
		if _, err := store.Save(ctx, "log", event, checkpoint.IfVersion(int64(n))); err != nil {
			log.Fatal(err)
		}
	}
	for v, err := range store.Versions(ctx, "log", checkpoint.VersionsOptions{From: 2}) {
		if err != nil {
			log.Fatal(err)
		}
		var event string
		if err := v.Decode(&event); err != nil {
			log.Fatal(err)
		}
		fmt.Println(v.Version, event)
	}
	// Output:
	// 2 hi
	// 3 bye
}

func ExampleWithID() {
	ctx := context.Background()
	store, err := checkpoint.Open("memory", "?history=20")
	if err != nil {
		log.Fatal(err)
	}
	for range 2 { // a request that is handled twice
		info, err := store.Save(ctx, "order-7", "paid", checkpoint.WithID("request-4711"))
		fmt.Println(info.Version, err)
	}
	info, err := store.Find(ctx, "order-7", "request-4711")
	fmt.Println(info.Version, err)
	// Output:
	// 1 <nil>
	// 1 <nil>
	// 1 <nil>
}

func ExampleStore_Delete() {
	ctx := context.Background()
	store, err := checkpoint.Open("memory", "")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Save(ctx, "user-123", "state"); err != nil {
		log.Fatal(err)
	}
	err = store.Delete(ctx, "user-123", checkpoint.IfVersion(7)) // only if it is still as we know it
	fmt.Println(errors.Is(err, checkpoint.ErrConflict))
	fmt.Println(store.Delete(ctx, "user-123"))
	fmt.Println(errors.Is(store.Delete(ctx, "user-123", checkpoint.IfExists()), checkpoint.ErrNotFound))
	// Output:
	// true
	// <nil>
	// true
}

func ExampleStore_DeletePrefix() {
	ctx := context.Background()
	store, err := checkpoint.Open("memory", "")
	if err != nil {
		log.Fatal(err)
	}
	for _, thread := range []string{"user-1/a", "user-1/b", "user-10/a"} {
		if _, err := store.Save(ctx, thread, "state"); err != nil {
			log.Fatal(err)
		}
	}
	removed, err := store.DeletePrefix(ctx, "user-1/")
	fmt.Println(removed, err)
	// Output: 2 <nil>
}

func ExampleStore_Restore() {
	ctx := context.Background()
	store, err := checkpoint.Open("memory", "?history=all")
	if err != nil {
		log.Fatal(err)
	}
	for _, state := range []string{"good", "bad"} {
		if _, err := store.Save(ctx, "user-123", state); err != nil {
			log.Fatal(err)
		}
	}
	info, err := store.Restore(ctx, "user-123", 1)
	fmt.Println(info.Version, info.Metadata, err)
	state, _, err := checkpoint.Get[string](ctx, store, "user-123")
	fmt.Println(state, err)
	// Output:
	// 3 map[restored_from:1] <nil>
	// good <nil>
}

func ExampleStore_Fork() {
	ctx := context.Background()
	store, err := checkpoint.Open("memory", "?history=all")
	if err != nil {
		log.Fatal(err)
	}
	for _, state := range []string{"one", "two"} {
		if _, err := store.Save(ctx, "user-123", state); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := store.Fork(ctx, "user-123", 1, "user-123-what-if"); err != nil {
		log.Fatal(err)
	}
	state, info, err := checkpoint.Get[string](ctx, store, "user-123-what-if")
	fmt.Println(state, info.Version, err)
	// Output: one 1 <nil>
}

// A function of Update that has nothing to change says so.
func ExampleErrSkip() {
	ctx := context.Background()
	store, err := checkpoint.Open("memory", "")
	if err != nil {
		log.Fatal(err)
	}
	done := func(steps *[]string) error {
		for _, s := range *steps {
			if s == "pack" {
				return checkpoint.ErrSkip
			}
		}
		*steps = append(*steps, "pack")
		return nil
	}
	for range 2 {
		info, err := checkpoint.Update(ctx, store, "trip", done)
		fmt.Println(info.Version, err)
	}
	// Output:
	// 1 <nil>
	// 1 <nil>
}

func ExampleStore_Namespaces() {
	ctx := context.Background()
	store, err := checkpoint.Open("memory", "")
	if err != nil {
		log.Fatal(err)
	}
	for _, tenant := range []string{"globex", "acme"} {
		if _, err := store.Namespace(tenant).Save(ctx, "user-123", "state"); err != nil {
			log.Fatal(err)
		}
	}
	for name, err := range store.Namespaces(ctx) {
		fmt.Println(name, err)
	}
	// Output:
	// acme <nil>
	// globex <nil>
}

func ExampleStore_Purge() {
	ctx := context.Background()
	now := time.Now()
	store, err := checkpoint.Open("memory", "?ttl=24h", checkpoint.WithClock(func() time.Time { return now }))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Save(ctx, "user-123", "state"); err != nil {
		log.Fatal(err)
	}
	now = now.Add(25 * time.Hour)
	removed, err := store.Purge(ctx)
	fmt.Println(removed, err)
	// Output: 1 <nil>
}

// A driver that leaves nothing behind has nothing to collect.
func ExampleStore_Collect() {
	ctx := context.Background()
	store, err := checkpoint.Open("memory", "")
	if err != nil {
		log.Fatal(err)
	}
	removed, err := store.Collect(ctx, checkpoint.CollectOptions{
		Before: func(p checkpoint.CollectPlan) error {
			fmt.Println(p.Cost) // what reading all of the database costs
			return nil
		},
	})
	fmt.Println(removed, errors.Is(err, errors.ErrUnsupported))
	// Output: 0 true
}

// States that are encoded already are stored unchanged.
func ExampleBytes() {
	ctx := context.Background()
	store, err := checkpoint.Open("memory", "")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := store.Save(ctx, "user-123", checkpoint.Bytes{0x0a, 0x02}); err != nil {
		log.Fatal(err)
	}
	var raw checkpoint.Bytes
	info, err := store.Load(ctx, "user-123", &raw)
	fmt.Printf("% x %s %v\n", []byte(raw), info.Encoding, err)
	// Output: 0a 02 bytes <nil>
}

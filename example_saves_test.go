package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

func ExampleStore_Save() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	for done := range 2 {
		info, err := store.Save(ctx, "user-123", Agent{Done: done})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("version", info.Version)
	}
	// Output:
	// version 1
	// version 2
}

func ExampleGet() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	store.Save(ctx, "user-123", Agent{Done: 7})
	agent, info, err := checkpoint.Get[Agent](ctx, store, "user-123")
	fmt.Println(agent.Done, info.Version, err)
	// Output: 7 1 <nil>
}

// What there is to know of a checkpoint without loading its state.
func ExampleStore_Stat() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	store.Save(ctx, "user-123", "state")
	info, err := store.Stat(ctx, "user-123")
	fmt.Println(info.Version, info.Size, err)
	// Output: 1 7 <nil>
}

func ExampleStore_LoadVersion() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "?history=20")
	defer store.Close()

	for done := range 3 {
		store.Save(ctx, "user-123", Agent{Done: done})
	}
	var agent Agent
	info, err := store.LoadVersion(ctx, "user-123", 2, &agent)
	fmt.Println(info.Version, agent.Done, err)
	// Output: 2 1 <nil>
}

// After a save whose outcome is not known, its id tells whether it was applied.
func ExampleStore_Find() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "?history=20")
	defer store.Close()

	saved, _ := store.Save(ctx, "user-123", Agent{})
	store.Save(ctx, "user-123", Agent{Done: 1}) // by another worker
	info, err := store.Find(ctx, "user-123", saved.ID)
	fmt.Println(info.Version, err)
	_, err = store.Find(ctx, "user-123", "unknown")
	fmt.Println(errors.Is(err, checkpoint.ErrNotFound))
	// Output:
	// 1 <nil>
	// true
}

// Of two workers that begin the same conversation one does.
func ExampleIfAbsent() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	for range 2 {
		_, err := store.Save(ctx, "user-123", Agent{}, checkpoint.IfAbsent())
		fmt.Println(errors.Is(err, checkpoint.ErrConflict))
	}
	// Output:
	// false
	// true
}

// A conversation that was deleted meanwhile does not come back.
func ExampleIfExists() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	_, err := store.Save(ctx, "user-123", Agent{}, checkpoint.IfExists())
	fmt.Println(errors.Is(err, checkpoint.ErrConflict))
	// Output: true
}

// A client that sends the version which it has seen, as in an HTTP If-Match header.
func ExampleIfVersion() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	store.Save(ctx, "user-123", Agent{})
	info, err := store.Save(ctx, "user-123", Agent{Done: 1}, checkpoint.IfVersion(1))
	fmt.Println(info.Version, err)
	_, err = store.Save(ctx, "user-123", Agent{Done: 2}, checkpoint.IfVersion(1))
	fmt.Println(errors.Is(err, checkpoint.ErrConflict))
	// Output:
	// 2 <nil>
	// true
}

// Metadata is listed without loading states.
func ExampleMetadata() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	store.Save(ctx, "user-123", Agent{}, checkpoint.Metadata(map[string]string{"model": "small"}))
	for info := range store.List(ctx, checkpoint.ListOptions{}) {
		fmt.Println(info.Thread, info.Metadata["model"])
	}
	// Output: user-123 small
}

func ExampleErrorClass() {
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	_, err := store.Stat(context.Background(), "user-123")
	fmt.Println(checkpoint.ErrorClass(err), checkpoint.ErrorClass(io.EOF))
	// Output: not_found other
}

// A version that cannot be read does not end the loop.
func ExampleVersion_Decode() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "?history=all")
	defer store.Close()

	store.Save(ctx, "log", "hello")
	store.Save(ctx, "log", 42)
	for v := range store.Versions(ctx, "log", checkpoint.VersionsOptions{}) {
		var event string
		err := v.Decode(&event)
		fmt.Printf("%d %q %v\n", v.Version, event, errors.Is(err, checkpoint.ErrCorrupt))
	}
	// Output:
	// 1 "hello" false
	// 2 "" true
}

func ExampleBlobs_Set() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	fmt.Println(store.Blobs().Set(ctx, "run-7", []byte{1, 2, 3}))
	// Output: <nil>
}

// Absence is no error, as frameworks have it.
func ExampleBlobs_Get() {
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	blob, found, err := store.Blobs().Get(context.Background(), "run-7")
	fmt.Println(blob, found, err)
	// Output: [] false <nil>
}

func ExampleBlobs_Delete() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	blobs := store.Blobs()
	blobs.Set(ctx, "run-7", []byte{1, 2, 3})
	fmt.Println(blobs.Delete(ctx, "run-7"))
	// Output: <nil>
}

// Of the workers that resume one run, one gets its blob.
func ExampleBlobs_Take() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	blobs := store.Blobs()
	blobs.Set(ctx, "run-7", []byte{1, 2, 3})
	for range 2 {
		blob, found, err := blobs.Take(ctx, "run-7")
		fmt.Println(blob, found, err)
	}
	// Output:
	// [1 2 3] true <nil>
	// [] false <nil>
}

// Checkpoints of another program keep their versions and times.
func ExampleImport() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "?history=all")
	defer store.Close()

	from := func(yield func(driver.Checkpoint, error) bool) {
		for version := int64(1); version <= 2; version++ {
			var cp driver.Checkpoint
			cp.Namespace, cp.Thread, cp.Version, cp.ID = "agents", "user-123", version, fmt.Sprint("old-", version)
			cp.Encoding, cp.Payload = "json", fmt.Appendf(nil, `{"done": %d}`, version)
			cp.CreatedAt, cp.SavedAt = time.Unix(1893456000, 0), time.Unix(1893456000, 0)
			if !yield(cp, nil) {
				return
			}
		}
	}
	stats, err := checkpoint.Import(ctx, store, from)
	fmt.Println(stats.Threads, stats.Checkpoints, err)
	agent, info, err := checkpoint.Get[Agent](ctx, store, "user-123")
	fmt.Println(agent.Done, info.ID, err)
	// Output:
	// 1 2 <nil>
	// 2 old-2 <nil>
}

// A new primary key, and then nothing needs the old one.
func ExampleRekey() {
	ctx := context.Background()
	old, young := []byte("the thirty-two bytes of last yr."), []byte("the thirty-two bytes of this yr.")
	before, _ := checkpoint.NewKeyring(old)
	both, _ := checkpoint.NewKeyring(young, old)
	store, _ := checkpoint.Open("memory", "memory:rekeyed", checkpoint.WithEncryption(before))
	defer store.Close()
	store.Save(ctx, "user-123", Agent{Done: 7})

	rotated, _ := checkpoint.Open("memory", "memory:rekeyed", checkpoint.WithEncryption(both))
	defer rotated.Close()
	stats, err := checkpoint.Rekey(ctx, rotated, checkpoint.RekeyOptions{})
	fmt.Println(stats.Rewritten, err)

	after, _ := checkpoint.NewKeyring(young)
	last, _ := checkpoint.Open("memory", "memory:rekeyed", checkpoint.WithEncryption(after))
	defer last.Close()
	agent, _, err := checkpoint.Get[Agent](ctx, last, "user-123")
	fmt.Println(agent.Done, err)
	// Output:
	// 1 <nil>
	// 7 <nil>
}

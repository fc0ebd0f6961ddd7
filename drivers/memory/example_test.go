package memory_test

import (
	"context"
	"fmt"
	"log"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

func Example() {
	store, err := checkpoint.Open("memory", "?history=20") // private: gone when it is closed
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	info, err := store.Save(context.Background(), "user-123", map[string]int{"step": 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Thread, info.Version)
	// Output: user-123 1
}

// A store with a name is shared by everything in the process that opens it.
func ExampleDriver() {
	ctx := context.Background()
	first, err := checkpoint.OpenURL("memory:example")
	if err != nil {
		log.Fatal(err)
	}
	second, err := checkpoint.OpenURL("memory:example")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := first.Save(ctx, "user-123", "hello"); err != nil {
		log.Fatal(err)
	}
	text, _, err := checkpoint.Get[string](ctx, second, "user-123")
	fmt.Println(text, err)
	// Output: hello <nil>
}

func ExampleNew() {
	store := checkpoint.New(memory.New(), checkpoint.WithHistory(20))
	defer store.Close()
	fmt.Println(store.Ping(context.Background()))
	// Output: <nil>
}

package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// The name of a driver that was imported, and its data source name.
func ExampleOpen() {
	store, err := checkpoint.Open("memory", "?history=20&ttl=24h")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	_, err = checkpoint.Open("memory", "?histroy=20")
	fmt.Println(errors.Is(err, checkpoint.ErrInvalid))
	_, err = checkpoint.Open("postgre", "localhost")
	fmt.Println(errors.Is(err, checkpoint.ErrUnknownDriver))
	// Output:
	// true
	// true
}

// One string of a configuration says which database it is.
func ExampleOpenURL() {
	store, err := checkpoint.OpenURL("memory:?namespace=acme")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	fmt.Println(store)
	// Output: checkpoint.Store(memory, namespace "acme")
}

// A program that has a client of its own hands it to the driver's New.
func ExampleNew() {
	store := checkpoint.New(memory.New(), checkpoint.WithHistory(20))
	defer store.Close()

	info, err := store.Save(context.Background(), "user-123", Agent{})
	fmt.Println(info.Version, err)
	// Output: 1 <nil>
}

// A driver registers itself under the name that Open and the URLs have for it.
func ExampleRegister() {
	checkpoint.Register("shelf", new(memory.Driver))

	store, err := checkpoint.Open("shelf", "memory:top")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	fmt.Println(store)
	// Output: checkpoint.Store(shelf, namespace "agents")
}

func ExampleDrivers() {
	fmt.Println(slices.Contains(checkpoint.Drivers(), "memory"))
	// Output: true
}

// A program that should not start without its database asks for it first.
func ExampleStore_Ping() {
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	fmt.Println(store.Ping(context.Background()))
	// Output: <nil>
}

func ExampleStore_Close() {
	store, _ := checkpoint.Open("memory", "")
	fmt.Println(store.Close())

	_, err := store.Stat(context.Background(), "user-123")
	fmt.Println(errors.Is(err, checkpoint.ErrClosed))
	// Output:
	// <nil>
	// true
}

func ExampleStore_InNamespace() {
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	fmt.Println(store.InNamespace(), store.Namespace("acme").InNamespace())
	// Output: agents acme
}

// What only the driver knows is asked of its backend.
func ExampleStore_Raw() {
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	err := store.Raw(func(b driver.Backend) error {
		_, ok := b.(driver.Purger)
		fmt.Println("purges:", ok)
		return nil
	})
	fmt.Println(err)
	// Output:
	// purges: true
	// <nil>
}

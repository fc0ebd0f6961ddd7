package lease_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/lease"
)

// One worker at a time works on a conversation, and its saves are conditional all the
// same: a process that was paused may go on after its lease has ended.
func ExampleAcquire() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	l, err := lease.Acquire(ctx, store, "user-123", lease.Options{Owner: "worker-1"})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Release(ctx)

	_, err = lease.Acquire(ctx, store, "user-123", lease.Options{Owner: "worker-2"})
	if held, ok := errors.AsType[*lease.HeldError](err); ok {
		fmt.Println("held by", held.Owner)
	}
	_, err = store.Save(l.Context(), "user-123", "state", checkpoint.IfAbsent())
	fmt.Println(err)
	// Output:
	// held by worker-1
	// <nil>
}

// Who works on a conversation, for a page that shows it.
func ExampleHolder() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	l, _ := lease.Acquire(ctx, store, "user-123", lease.Options{Owner: "worker-1"})
	held, err := lease.Holder(ctx, store, "user-123")
	fmt.Println(held.Owner, err)

	l.Release(ctx)
	held, err = lease.Holder(ctx, store, "user-123")
	fmt.Println(held, err)
	// Output:
	// worker-1 <nil>
	// <nil> <nil>
}

// What is done under the lease ends with it.
func ExampleLease_Context() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	l, _ := lease.Acquire(ctx, store, "user-123", lease.Options{})
	fmt.Println(l.Context().Err())
	l.Release(ctx)
	fmt.Println(l.Context().Err())
	// Output:
	// <nil>
	// context canceled
}

func ExampleLease_Release() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "")
	defer store.Close()

	l, _ := lease.Acquire(ctx, store, "user-123", lease.Options{})
	fmt.Println(l.Release(ctx))

	_, err := lease.Acquire(ctx, store, "user-123", lease.Options{}) // another worker
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
}

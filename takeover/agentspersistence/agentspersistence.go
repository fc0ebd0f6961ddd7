// Package agentspersistence reads what the Rust crate agents-persistence (0.0.30)
// keeps in Redis, for package takeover:
//
//	old := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
//	stats, err := takeover.Into(ctx, store, agentspersistence.Redis(ctx, old, "agents"))
//
// The crate keeps each state as a string of JSON, NAMESPACE:thread:ID, and the names
// of the threads in the set NAMESPACE:threads. Both are left as they are, and the
// crate can go on using them; what it saves after the takeover is not seen.
//
// The crate's tables in PostgreSQL and DynamoDB are taken over in place by the
// drivers.
package agentspersistence

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/go-ckpt/checkpoint/takeover"
)

// page is how many states are read in one round trip.
const page = 50

// forever is how the client reports that a key does not expire.
const forever = -1

// DefaultNamespace is where the crate keeps its threads unless it is told another.
const DefaultNamespace = "agents"

// Redis yields the latest state of every thread in a namespace of the crate, and
// when it expires. Threads that the set still names after their keys have expired are
// passed over. A thread that is saved while this runs is yielded as it is at some
// moment of the run; one that is made while it runs may be left out.
func Redis(ctx context.Context, client redis.UniversalClient, namespace string) iter.Seq2[takeover.State, error] {
	return func(yield func(takeover.State, error) bool) {
		seen := map[string]bool{} // SSCAN names a member twice where the set changes
		var cursor uint64
		for {
			threads, next, err := client.SScan(ctx, namespace+":threads", cursor, "", page).Result()
			if err != nil {
				yield(takeover.State{}, fmt.Errorf("the threads of %q cannot be read: %w", namespace, err))
				return
			}
			var fresh []string
			for _, thread := range threads {
				if !seen[thread] {
					seen[thread] = true
					fresh = append(fresh, thread)
				}
			}
			for threads := range slices.Chunk(fresh, page) {
				states, err := read(ctx, client, namespace, threads)
				for _, s := range states {
					if !yield(s, nil) {
						return
					}
				}
				if err != nil {
					yield(takeover.State{}, err)
					return
				}
			}
			if cursor = next; cursor == 0 {
				return
			}
		}
	}
}

func read(ctx context.Context, client redis.UniversalClient, namespace string, threads []string) ([]takeover.State, error) {
	values, lives := make([]*redis.StringCmd, len(threads)), make([]*redis.DurationCmd, len(threads))
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, thread := range threads {
			key := namespace + ":thread:" + thread
			lives[i] = p.PTTL(ctx, key) // first: what is read then has not expired before
			values[i] = p.Get(ctx, key)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("states of %q cannot be read: %w", namespace, err)
	}
	now := time.Now()
	var states []takeover.State
	for i, thread := range threads {
		value, err := values[i].Bytes()
		if errors.Is(err, redis.Nil) {
			continue // it has expired, or was deleted
		}
		if err != nil {
			return states, fmt.Errorf("the state of a thread of %q cannot be read: %w", namespace, err)
		}
		s := takeover.State{Thread: thread, JSON: value}
		if life := lives[i].Val(); life >= 0 {
			s.ExpiresAt = now.Add(life)
		} else if life != forever {
			continue // made in the moment between
		}
		states = append(states, s)
	}
	return states, nil
}

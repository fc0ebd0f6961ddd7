package redis

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
	"github.com/redis/go-redis/v9"
)

// BenchmarkLoadOfAChain measures the load of a conversation of 2 MB that is kept as a
// whole state and patches beside that of a whole state, one after the other on one
// server, and reports medians: by the store, by the driver alone, and a bare GET.
//
//	go test ./drivers/redis -run '^$' -bench LoadOfAChain -benchtime 300x
func BenchmarkLoadOfAChain(b *testing.B) {
	dsn := testserver.Redis(b)
	options, err := redis.ParseURL(dsn)
	if err != nil {
		b.Fatal(err)
	}
	bare := redis.NewClient(options)
	b.Cleanup(func() { bare.Close() })
	ours, other := openDSN(b, dsn), openDSN(b, dsn) // one that meets patches, and one that meets none
	ctx := b.Context()
	const step = 2 << 10
	for _, c := range []struct{ depth, keep int }{{24, 1}, {24, 50}, {64, 50}} {
		ns := namespace()
		whole := checkpoint.New(other, checkpoint.WithNamespace(ns), checkpoint.WithHistory(c.keep))
		patched := checkpoint.New(ours, checkpoint.WithNamespace(ns), checkpoint.WithHistory(c.keep), checkpoint.WithIncremental())
		state := []byte("[")
		for i := range 1000 {
			state = append(agentstate.JSON(step, uint64(i)), state...)
		}
		for i := range c.depth + 1 {
			state = append(state, agentstate.JSON(step, uint64(i))...)
			if _, err := patched.Save(ctx, "patched", checkpoint.Bytes(state)); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := whole.Save(ctx, "whole", checkpoint.Bytes(state)); err != nil {
			b.Fatal(err)
		}
		plain := rand.Text()
		if err := bare.Set(ctx, plain, state, 0).Err(); err != nil {
			b.Fatal(err)
		}
		store := func(by driver.Backend, thread string) func() error {
			fresh := checkpoint.New(by, checkpoint.WithNamespace(ns))
			return func() error {
				var got checkpoint.Bytes
				_, err := fresh.Load(ctx, thread, &got)
				if err == nil && !bytes.Equal(got, state) {
					err = fmt.Errorf("another state was loaded")
				}
				return err
			}
		}
		load := func(by driver.Backend, thread string) func() error {
			return func() error {
				cp, err := by.Load(ctx, driver.LoadRequest{Key: driver.Key{Namespace: ns, Thread: thread}, Now: time.Now()})
				if err == nil && thread == "patched" && len(cp.Links) != c.depth {
					err = fmt.Errorf("%d links", len(cp.Links))
				}
				return err
			}
		}
		b.Run(fmt.Sprintf("%dPatches/History%d", c.depth, c.keep), func(b *testing.B) {
			takeTurns(b, []turn{
				{"bare", func() error { return bare.Get(ctx, plain).Err() }},
				{"whole", load(other, "whole")},
				{"chain", load(ours, "patched")},
				{"store-whole", store(other, "whole")},
				{"store-chain", store(ours, "patched")},
			})
		})
	}
}

type turn struct {
	name string
	run  func() error
}

func takeTurns(b *testing.B, turns []turn) {
	times := make([][]time.Duration, len(turns))
	for range b.N {
		for i, t := range turns {
			start := time.Now()
			if err := t.run(); err != nil {
				b.Fatal(err)
			}
			times[i] = append(times[i], time.Since(start))
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, t := range turns {
		slices.Sort(times[i])
		b.ReportMetric(float64(times[i][len(times[i])/2].Microseconds()), t.name+"-µs")
	}
}

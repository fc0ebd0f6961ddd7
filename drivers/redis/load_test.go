package redis

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
	"github.com/redis/go-redis/v9"
)

// newLargeChain makes a chain of ten versions whose whole state no script brings.
func newLargeChain(t testing.TB, b *backend, keep int) *chain {
	t.Helper()
	c := &chain{b: b, key: driver.Key{Namespace: namespace(), Thread: "thread"}, keep: keep}
	c.add(t, bytes.Repeat([]byte("whole"), throughScript))
	for i := range 9 {
		c.add(t, fmt.Append(nil, "patch ", i))
	}
	return c
}

// TestLargeChainCommands counts what loads of a large state with patches take: its bytes
// come by plain commands.
func TestLargeChainCommands(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	chain := newLargeChain(t, openDSN(t, dsn), 20)
	small := newChain(t, chain.b, driver.Key{Namespace: chain.key.Namespace, Thread: "small"}, 1)
	small.add(t, []byte("patch"))
	mustLoad(t, chain.b, chain.key) // the script becomes known to the server

	b := openDSN(t, dsn)
	mustLoad(t, b, small.key)
	var count counter
	b.client.AddHook(&count)
	known := driver.Previous{ID: chain.last.ID, Digest: chain.last.Digest}
	for i, c := range []struct {
		req      driver.LoadRequest
		commands int64
		links    int
	}{
		{driver.LoadRequest{Key: chain.key}, 2, 9}, // after a small one the script is asked
		{driver.LoadRequest{Key: chain.key}, 2, 9},
		{driver.LoadRequest{Key: chain.key, Version: 10}, 2, 9},
		{driver.LoadRequest{Key: chain.key, Version: 7}, 2, 6},
		{driver.LoadRequest{Key: chain.key, Version: 1}, 2, 0},
		{driver.LoadRequest{Key: chain.key, Version: 11}, 1, 0},
		{driver.LoadRequest{Key: chain.key, Known: known}, 1, 0},
		{driver.LoadRequest{Key: chain.key, Known: driver.Previous{ID: "another", Digest: "another"}}, 2, 9},
		{driver.LoadRequest{Key: small.key}, 2, 1},
		{driver.LoadRequest{Key: small.key}, 1, 1},
	} {
		c.req.Now = time.Now()
		before := count.sent.Load()
		cp, err := b.Load(t.Context(), c.req)
		if err != nil && c.req.Version != 11 || len(cp.Links) != c.links || count.sent.Load()-before != c.commands {
			t.Errorf("load %d: %d links and %v by %d commands, want %d by %d", i, len(cp.Links), err, count.sent.Load()-before, c.links, c.commands)
		}
		if len(cp.Links) > 0 && cp.Links[0].Version != 1 {
			t.Errorf("load %d: the first link is version %d", i, cp.Links[0].Version)
		}
	}
}

// TestLargeChainChanges changes a thread between the two commands of a load: it returns
// what was there before or what is there then, complete.
func TestLargeChainChanges(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	remove := func(t *testing.T, c *chain) {
		if err := c.b.Delete(t.Context(), driver.DeleteRequest{Key: c.key}); err != nil {
			t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		change        func(*testing.T, *chain)
		latest, older int64 // versions that the loads return, 0 for none
	}{
		"Patched":        {func(t *testing.T, c *chain) { c.add(t, []byte("another")) }, 11, 9},
		"SavedWhole":     {func(t *testing.T, c *chain) { mustSave(t, c.b, requestKeeping(c.key, 20)) }, 11, 9},
		"Replaced":       {func(t *testing.T, c *chain) { mustSave(t, c.b, requestKeeping(c.key, 1)) }, 11, 0},
		"Deleted":        {remove, 0, 0},
		"AnotherLife":    {func(t *testing.T, c *chain) { remove(t, c); mustSave(t, c.b, request(c.key, nil)) }, 1, 0},
		"AnotherOfTen":   {func(t *testing.T, c *chain) { remove(t, c); *c = *newChainAt(t, c, 10) }, 10, 9},
		"AnotherOfMore":  {func(t *testing.T, c *chain) { remove(t, c); *c = *newChainAt(t, c, 12) }, 12, 9},
		"AnotherExpired": {func(t *testing.T, c *chain) { remove(t, c); expired(t, newChainAt(t, c, 9)) }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, version := range []int64{0, 9} {
				for _, script := range []bool{false, true} {
					chain := newLargeChain(t, openDSN(t, dsn), 20)
					b := openDSN(t, dsn)
					mustLoad(t, b, chain.key)
					if script {
						b.expectChains()
					}
					b.client.AddHook(&between{change: func() { c.change(t, chain) }})
					cp, err := b.Load(t.Context(), driver.LoadRequest{Key: chain.key, Version: version, Now: time.Now()})
					want := c.latest
					if version != 0 {
						want = c.older
					}
					if want == 0 && !errors.Is(err, driver.ErrNotFound) || want != 0 && (err != nil || cp.Version != want) {
						t.Errorf("Load of version %d = version %d, %v, want %d", version, cp.Version, err, want)
					}
					if cp.Base != 0 && int64(len(cp.Links)) != cp.Version-cp.Base {
						t.Errorf("Load of version %d brings %d links of version %d from %d on", version, len(cp.Links), cp.Version, cp.Base)
					}
				}
			}
		})
	}
}

// TestLargeVersionMoves saves another version between the two commands of the load of an
// older one, which lies elsewhere then.
func TestLargeVersionMoves(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	writer, b := openDSN(t, dsn), openDSN(t, dsn)
	req := requestKeeping(driver.Key{Namespace: namespace(), Thread: "thread"}, 20)
	req.Payload = make([]byte, throughScript+1)
	for range 3 {
		req.ID = rand.Text()
		mustSave(t, writer, req)
	}
	mustLoad(t, b, req.Key)
	req.ID = rand.Text()
	b.client.AddHook(&between{change: func() { mustSave(t, writer, req) }})
	cp, err := b.Load(t.Context(), driver.LoadRequest{Key: req.Key, Version: 2, Now: time.Now()})
	if err != nil || cp.Version != 2 || len(cp.Payload) != len(req.Payload) {
		t.Errorf("Load of version 2 = version %d, %d bytes, %v", cp.Version, len(cp.Payload), err)
	}
}

// newChainAt makes a small chain of so many versions in the place of another one.
func newChainAt(t testing.TB, old *chain, versions int) *chain {
	c := newChain(t, old.b, old.key, old.keep)
	for range versions - 1 {
		c.add(t, []byte("of another life"))
	}
	return c
}

// expired makes a save that has expired the latest of a thread.
func expired(t testing.TB, c *chain) {
	req := c.request([]byte("expired"))
	req.ExpiresAt = req.Now.Add(-time.Second)
	if _, err := c.b.SavePatch(t.Context(), req); err != nil {
		t.Error(err)
	}
}

// between does something before the second command that a client sends.
type between struct {
	change func()
	sent   int
}

func (h *between) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *between) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if h.sent++; h.sent == 2 {
			h.change()
		}
		return next(ctx, cmd)
	}
}

func (h *between) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

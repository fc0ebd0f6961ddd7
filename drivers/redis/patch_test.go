package redis

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// A chain is a thread whose first version is whole and the others patches.
type chain struct {
	b    *backend
	key  driver.Key
	keep int
	last driver.PatchRequest
	info driver.Info
}

func newChain(t testing.TB, b *backend, key driver.Key, keep int) *chain {
	t.Helper()
	c := &chain{b: b, key: key, keep: keep}
	c.add(t, []byte("whole"))
	return c
}

func (c *chain) request(payload []byte) driver.PatchRequest {
	req := driver.PatchRequest{SaveRequest: request(c.key, payload)}
	req.Keep, req.Digest = c.keep, "digest of "+req.ID
	if c.info.Version > 0 {
		req.Base, req.Previous = max(1, c.info.Base), driver.Previous{ID: c.last.ID, Digest: c.last.Digest}
	}
	return req
}

func (c *chain) patch(t testing.TB, payload []byte) error {
	t.Helper()
	req := c.request(payload)
	info, err := c.b.SavePatch(t.Context(), req)
	if err == nil {
		c.last, c.info = req, info
	}
	return err
}

func (c *chain) add(t testing.TB, payload []byte) {
	t.Helper()
	if err := c.patch(t, payload); err != nil {
		t.Fatalf("SavePatch of version %d: %v", c.info.Version+1, err)
	}
}

// keys returns what a thread takes in the database: elements of its list, and fields
// of its hash.
func (c *chain) keys(t testing.TB) (elements, fields int64) {
	t.Helper()
	keys := c.b.layout.thread(c.key)
	return c.b.client.LLen(t.Context(), keys[0]).Val(), c.b.client.HLen(t.Context(), keys[1]).Val()
}

// TestWhatAChainTakes counts what is kept of a chain: two elements for a version that
// is visible or needed, two fields for a visible past one, and nothing after a whole
// state that keeps nothing older.
func TestWhatAChainTakes(t *testing.T) {
	t.Parallel()
	b := openDSN(t, testserver.Redis(t))
	for _, c := range []struct {
		keep             int
		elements, fields int64
	}{
		{1, 20, 0},
		{3, 20, 4},
		{driver.KeepAll, 20, 18},
	} {
		chain := newChain(t, b, driver.Key{Namespace: namespace(), Thread: "thread"}, c.keep)
		for range 9 {
			chain.add(t, []byte("patch"))
		}
		if elements, fields := chain.keys(t); elements != c.elements || fields != c.fields {
			t.Errorf("keeping %d: %d elements and %d fields, want %d and %d", c.keep, elements, fields, c.elements, c.fields)
		}
		whole := request(chain.key, []byte("whole"))
		mustSave(t, b, whole)
		if elements, fields := chain.keys(t); elements != 2 || fields != 0 {
			t.Errorf("after a whole state, keeping %d: %d elements and %d fields, want 2 and 0", c.keep, elements, fields)
		}
		if line := b.client.LIndex(t.Context(), b.layout.list(chain.key.Namespace, chain.key.Thread), 1).Val(); !strings.HasPrefix(line, "1 ") {
			t.Errorf("after it the info is %q, want the first format", line)
		}
	}
}

// TestFirstFormat looks at infos of threads that are not saved incrementally: earlier
// versions of the driver read them.
func TestFirstFormat(t *testing.T) {
	t.Parallel()
	b := openDSN(t, testserver.Redis(t))
	key := driver.Key{Namespace: namespace(), Thread: "thread"}
	for range 3 {
		req := request(key, []byte("state"))
		req.Keep = 2
		mustSave(t, b, req)
	}
	for i, part := range b.client.LRange(t.Context(), b.layout.list(key.Namespace, key.Thread), 0, -1).Val() {
		if i%2 == 1 && !strings.HasPrefix(part, "1 ") {
			t.Errorf("an info is %q, want the first format", part)
		}
	}
}

// TestFirstPatchMet loads patches with handles that have seen none: the first takes a
// second round trip, and those after it one, also where a state is whole; and after
// some whole states a load is a plain command again.
func TestFirstPatchMet(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	chain := newChain(t, openDSN(t, dsn), driver.Key{Namespace: namespace(), Thread: "thread"}, 1)
	chain.add(t, []byte("patch"))
	whole := driver.Key{Namespace: chain.key.Namespace, Thread: "whole"}
	mustSave(t, chain.b, request(whole, []byte("whole")))
	mustLoad(t, chain.b, chain.key) // the script becomes known

	b := openDSN(t, dsn)
	mustLoad(t, b, whole)
	var count counter
	b.client.AddHook(&count)
	for i, c := range []struct {
		key  driver.Key
		want int64
	}{{whole, 1}, {chain.key, 2}, {chain.key, 1}, {whole, 1}, {chain.key, 1}} {
		before := count.sent.Load()
		cp := mustLoad(t, b, c.key)
		if got := count.sent.Load() - before; got != c.want || len(cp.Links) != int(cp.Version-1) {
			t.Errorf("load %d took %d commands and brought %d links, want %d and %d", i, got, len(cp.Links), c.want, cp.Version-1)
		}
	}
	for range expected {
		mustLoad(t, b, whole)
	}
	if b.expectsChain() {
		t.Errorf("after %d whole states the next one is still expected to be a patch", expected)
	}
}

// TestKnownPatch: what the caller has does not come again, whole or patched, by one
// command; and another version does.
func TestKnownPatch(t *testing.T) {
	t.Parallel()
	b := openDSN(t, testserver.Redis(t))
	chain := newChain(t, b, driver.Key{Namespace: namespace(), Thread: "thread"}, 1)
	chain.add(t, []byte("patch"))
	mustLoad(t, b, chain.key) // the script becomes known to the server
	var count counter
	b.client.AddHook(&count)
	load := func(known driver.Previous, want bool) {
		t.Helper()
		before := count.sent.Load()
		cp, err := b.Load(t.Context(), driver.LoadRequest{Key: chain.key, Now: time.Now(), Known: known})
		if err != nil || cp.ID != chain.last.ID || cp.Known != want || (cp.Payload == nil) != want || count.sent.Load() != before+1 {
			t.Errorf("Load = version %d, known %t, %d bytes, %v, by %d commands, want known %t by one", cp.Version, cp.Known, len(cp.Payload), err, count.sent.Load()-before, want)
		}
	}
	load(driver.Previous{ID: "%", Digest: "%"}, false)
	for range 3 {
		last := driver.Previous{ID: chain.last.ID, Digest: chain.last.Digest}
		load(last, true)
		chain.add(t, []byte("patch"))
		load(last, false)
	}
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: chain.key}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Load(t.Context(), driver.LoadRequest{Key: chain.key, Now: time.Now(), Known: driver.Previous{ID: chain.last.ID, Digest: chain.last.Digest}}); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("Load of a deleted thread: %v, want ErrNotFound", err)
	}
}

// TestPatchLostReply loses the reply to a patch, and the patch itself: it is not sent
// again, and recognised where it has arrived, also when another save came before the
// look for it.
func TestPatchLostReply(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	for _, size := range []int{10, 10_000} { // an argument of the script, and pushed beside it
		for name, c := range map[string]struct {
			lose      func(*faultproxy.Proxy, int, func([]byte) bool)
			overtaken bool // another save comes before the look
			want      error
			history   []int64
		}{
			"Reply":             {(*faultproxy.Proxy).DropReplyMatching, false, nil, []int64{3, 2, 1}},
			"Request":           {(*faultproxy.Proxy).CutRequestMatching, false, driver.ErrUnavailable, []int64{2, 1}},
			"ReplyAndOvertaken": {(*faultproxy.Proxy).DropReplyMatching, true, nil, []int64{4, 3, 2}},
		} {
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				t.Parallel()
				b, proxy := through(t, dsn, "")
				chain := newChain(t, b, driver.Key{Namespace: namespace(), Thread: "patched-thread"}, 3)
				chain.add(t, make([]byte, size))
				other := openDSN(t, dsn)
				req := chain.request(make([]byte, size))
				c.lose(proxy, 1, func(request []byte) bool { return bytes.Contains(request, []byte(req.ID)) })
				var attempts atomic.Int64
				var overtake sync.Once
				proxy.CutRequestMatching(1, func(request []byte) bool {
					if bytes.Contains(request, []byte(req.ID)) && !bytes.Contains(request, []byte("hget")) {
						attempts.Add(1)
					}
					if c.overtaken {
						overtake.Do(func() {
							if _, err := other.Save(t.Context(), requestKeeping(chain.key, 3)); err != nil {
								t.Error(err)
							}
						})
					}
					return false
				})
				info, err := b.SavePatch(t.Context(), req)
				if !errors.Is(err, c.want) || errors.Is(err, driver.ErrBase) {
					t.Errorf("SavePatch: %v, want %v", err, c.want)
				}
				if err == nil && (info.Version != 3 || info.ID != req.ID) {
					t.Errorf("SavePatch = version %d, id %q, want version 3, id %q", info.Version, info.ID, req.ID)
				}
				if got := history(t, other, driver.HistoryRequest{Key: chain.key, Now: time.Now()}); !slices.Equal(got, c.history) || attempts.Load() > 0 {
					t.Errorf("History: %v after %d further attempts, want %v after none", got, attempts.Load(), c.history)
				}
			})
		}
	}
}

func requestKeeping(key driver.Key, keep int) driver.SaveRequest {
	req := request(key, []byte("other"))
	req.Keep = keep
	return req
}

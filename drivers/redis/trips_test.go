package redis

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
	"github.com/redis/go-redis/v9"
)

// through returns a handle on the server of a DSN behind a proxy.
func through(t testing.TB, dsn, words string) (*backend, *faultproxy.Proxy) {
	t.Helper()
	cfg, err := ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	proxy := faultproxy.New(t, cfg.options.Addrs[0])
	return openDSN(t, "redis://"+proxy.Addr()+"/0"+words), proxy
}

// namespace returns one of the test's own.
func namespace() string { return "t-" + strings.ToLower(rand.Text()) }

// request is a save that would succeed.
func request(key driver.Key, payload []byte) driver.SaveRequest {
	return driver.SaveRequest{
		Key: key, ID: rand.Text(), Payload: payload, Encoding: "bytes",
		Now: time.Now().UTC().Truncate(time.Microsecond), Keep: 1,
	}
}

func mustSave(t testing.TB, b driver.Backend, req driver.SaveRequest) driver.Info {
	t.Helper()
	info, err := b.Save(t.Context(), req)
	if err != nil {
		t.Fatalf("Save of %q: %v", req.Thread, err)
	}
	return info
}

func mustLoad(t testing.TB, b driver.Backend, key driver.Key) driver.Checkpoint {
	t.Helper()
	cp, err := b.Load(t.Context(), driver.LoadRequest{Key: key, Now: time.Now()})
	if err != nil {
		t.Fatalf("Load of %q: %v", key.Thread, err)
	}
	return cp
}

// list returns the names of a list.
func list(t testing.TB, b driver.Backend, req driver.ListRequest) []string {
	t.Helper()
	if req.Now.IsZero() {
		req.Now = time.Now()
	}
	var names []string
	for info, err := range b.List(t.Context(), req) {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		names = append(names, info.Thread)
	}
	return names
}

// history returns the versions of a thread.
func history(t testing.TB, b driver.Backend, req driver.HistoryRequest) []int64 {
	t.Helper()
	if req.Now.IsZero() {
		req.Now = time.Now()
	}
	var versions []int64
	for info, err := range b.History(t.Context(), req) {
		if err != nil {
			t.Fatalf("History: %v", err)
		}
		versions = append(versions, info.Version)
	}
	return versions
}

// A counter counts what a client sends: commands, and pipelines as one.
type counter struct{ sent atomic.Int64 }

func (c *counter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.sent.Add(1)
		return next(ctx, cmd)
	}
}

func (c *counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.sent.Add(1)
		return next(ctx, cmds)
	}
}

// TestRoundTrips counts what each operation costs in steady state: with a
// connection open and the scripts known to the server. It counts what the
// client sends, and on the wire the bursts of bytes that the server answers.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	b, proxy := through(t, testserver.Redis(t), "")
	var count counter
	b.client.AddHook(&count)
	ns := namespace()
	key := driver.Key{Namespace: ns, Thread: "thread"}
	small, large := []byte("small"), bytes.Repeat([]byte("large "), 20_000)
	var last driver.Info
	save := func(payload []byte, change func(*driver.SaveRequest)) func() error {
		return func() error {
			req := request(key, payload)
			req.Keep = 300
			if change != nil {
				change(&req)
			}
			info, err := b.Save(t.Context(), req)
			if err == nil {
				last = info
			}
			return err
		}
	}
	load := func(version func() int64) func() error {
		return func() error {
			_, err := b.Load(t.Context(), driver.LoadRequest{Key: key, Version: version(), Now: time.Now()})
			return err
		}
	}
	latest := func() int64 { return 0 }
	read := func(limit int) func() error {
		return func() error {
			if got := len(history(t, b, driver.HistoryRequest{Key: key, Limit: limit})); limit > 0 && got != limit {
				return fmt.Errorf("History has %d versions, want %d", got, limit)
			}
			return nil
		}
	}
	page := func(limit int) func() error {
		return func() error {
			if got := len(list(t, b, driver.ListRequest{Namespace: ns, Limit: limit})); got != limit {
				return fmt.Errorf("List has %d threads, want %d", got, limit)
			}
			return nil
		}
	}

	// Fill, and open a connection of each pool.
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		mustSave(t, b, request(driver.Key{Namespace: ns, Thread: fmt.Sprintf("thread-%03d", i)}, small))
	}
	for i := range 30 {
		payload := small
		if i%3 == 0 {
			payload = large
		}
		if err := save(payload, nil)(); err != nil {
			t.Fatal(err)
		}
	}

	grown := driver.Key{Namespace: ns, Thread: "grown"}
	chain := newChain(t, b, grown, 3)
	for range 40 {
		chain.add(t, large)
	}
	loadGrown := func(version func() int64) func() error {
		return func() error {
			cp, err := b.Load(t.Context(), driver.LoadRequest{Key: grown, Version: version(), Now: time.Now()})
			if err == nil && len(cp.Links) < 30 {
				return fmt.Errorf("Load of a patch brings %d links", len(cp.Links))
			}
			return err
		}
	}

	for _, c := range []struct {
		name string
		want int64
		run  func() error
	}{
		{"SavePatch", 1, func() error { return chain.patch(t, small) }},
		{"SavePatch, large", 1, func() error { return chain.patch(t, large) }},
		{"Load of a patch", 1, loadGrown(latest)},
		{"Load of a version, a patch", 1, loadGrown(func() int64 { return chain.info.Version - 1 })},
		{"SavePatch, large, refused", 1, func() error {
			req := chain.request(large)
			req.Previous.Digest = "another"
			if _, err := b.SavePatch(t.Context(), req); !errors.Is(err, driver.ErrBase) {
				return fmt.Errorf("%v, want ErrBase", err)
			}
			return nil
		}},
		{"Ping", 1, func() error { return b.Ping(t.Context()) }},
		{"Save, small", 1, save(small, nil)},
		{"Save, large", 1, save(large, nil)},
		{"Save on condition, small", 1, save(small, func(r *driver.SaveRequest) { r.Match.ID = last.ID })},
		{"Save on condition, large", 1, save(large, func(r *driver.SaveRequest) { r.Match.ID = last.ID })},
		{"Save that expires", 1, save(small, func(r *driver.SaveRequest) { r.ExpiresAt = r.Now.Add(time.Hour) })},
		{"Save, fewer versions kept", 1, save(large, func(r *driver.SaveRequest) { r.Keep = 20 })},
		{"Load", 1, load(latest)},
		{"Load of a version", 1, load(func() int64 { return last.Version - 10 })},
		{"Load of the latest by version", 1, load(func() int64 { return last.Version })},
		{"History of one version", 1, read(1)},
		{"History", 1, read(0)},
		{"List of 100", 2, page(100)},
		{"List of 256", 2, page(256)},
		{"List of 300", 4, page(300)},
		{"Save on condition of a version", 1, save(small, func(r *driver.SaveRequest) { r.Match.Version = last.Version })},
		{"Save on condition of existence", 1, save(small, func(r *driver.SaveRequest) { r.Match.Exists = true })},
		{"Find", 1, func() error {
			_, err := b.Find(t.Context(), driver.FindRequest{Key: key, ID: last.ID, Now: time.Now()})
			return err
		}},
		{"Versions", 1, func() error {
			for _, err := range b.Versions(t.Context(), driver.VersionsRequest{Key: key, Now: time.Now()}) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
		{"DeletePrefix of nothing", 1, func() error {
			_, err := b.DeletePrefix(t.Context(), driver.DeletePrefixRequest{Namespace: ns, Prefix: "none/", Now: time.Now()})
			return err
		}},
		{"Delete on condition", 1, func() error {
			err := b.Delete(t.Context(), driver.DeleteRequest{Key: driver.Key{Namespace: ns, Thread: "none"}, Match: driver.Match{Exists: true}, Now: time.Now()})
			if !errors.Is(err, driver.ErrConflict) {
				return fmt.Errorf("%v, want ErrConflict", err)
			}
			return nil
		}},
		{"Delete", 1, func() error {
			return b.Delete(t.Context(), driver.DeleteRequest{Key: driver.Key{Namespace: ns, Thread: "thread-007"}})
		}},
		{"Delete of an absent thread", 1, func() error {
			return b.Delete(t.Context(), driver.DeleteRequest{Key: driver.Key{Namespace: ns, Thread: "none"}})
		}},
		{"Purge of nothing", 1, func() error { _, err := b.Purge(t.Context(), ns, time.Now()); return err }},
	} {
		if err := c.run(); err != nil && !strings.HasPrefix(c.name, "Purge") { // the scripts become known
			t.Errorf("%s: %v", c.name, err)
		}
		before, sent := proxy.Counts(), count.sent.Load()
		if err := c.run(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := count.sent.Load() - sent; got != c.want {
			t.Errorf("%s sent %d commands or pipelines, want %d", c.name, got, c.want)
		}
		// The server begins to answer a transaction while the client is still
		// sending it, which on the wire may look like several requests.
		if got := proxy.Counts().Sub(before).Requests; got != c.want && !strings.Contains(c.name, "large") && !strings.Contains(c.name, "fewer") {
			t.Errorf("%s took %d round trips on the wire, want %d", c.name, got, c.want)
		}
	}
}

// TestBytesOnTheWire looks at what the operations that must not move payloads
// move.
func TestBytesOnTheWire(t *testing.T) {
	t.Parallel()
	b, proxy := through(t, testserver.Redis(t), "")
	key := driver.Key{Namespace: namespace(), Thread: "thread"}
	const size = 1 << 20
	for range 5 {
		req := request(key, make([]byte, size))
		req.Keep = 5
		mustSave(t, b, req)
	}
	before := proxy.Counts()
	if got := len(history(t, b, driver.HistoryRequest{Key: key})); got != 5 {
		t.Errorf("History has %d versions, want 5", got)
	}
	list(t, b, driver.ListRequest{Namespace: key.Namespace})
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key}); err != nil {
		t.Error(err)
	}
	c := proxy.Counts().Sub(before)
	if moved := c.ToClient + c.ToServer; moved > 10_000 {
		t.Errorf("History, List and Delete of a thread with 5 MiB moved %d bytes", moved)
	}
	// A save moves its payload once, and nothing of the versions before.
	mustSave(t, b, request(key, make([]byte, size)))
	before = proxy.Counts()
	mustSave(t, b, request(key, make([]byte, size)))
	if c := proxy.Counts().Sub(before); c.ToServer > size+5_000 || c.ToClient > 2_000 {
		t.Errorf("Save of %d bytes sent %d and received %d", size, c.ToServer, c.ToClient)
	}
}

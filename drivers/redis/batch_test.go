package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// A crowd are operations that wait in one batch: another one has the only connection,
// and the proxy keeps its answer back.
type crowd struct {
	t     testing.TB
	b     *backend
	proxy *faultproxy.Proxy
	first chan error
	wg    sync.WaitGroup
	sent  int // how many are waiting
}

func newCrowd(t testing.TB, b *backend, proxy *faultproxy.Proxy, ns string) *crowd {
	t.Helper()
	c := &crowd{t: t, b: b, proxy: proxy, first: make(chan error, 1)}
	key := driver.Key{Namespace: ns, Thread: "first"}
	mustSave(t, b, request(key, nil)) // opens a connection, and tells the script
	proxy.HoldReplies(true)
	before := proxy.Counts().RoundTrips
	go func() {
		_, err := b.Load(t.Context(), driver.LoadRequest{Key: key, Now: time.Now()})
		c.first <- err
	}()
	await(t, func() bool { return proxy.Counts().RoundTrips > before })
	return c
}

// join runs an operation, and returns when it waits with the others.
func (c *crowd) join(f func()) {
	c.t.Helper()
	c.sent++
	c.wg.Go(f)
	await(c.t, func() bool {
		c.b.batches.mu.Lock()
		defer c.b.batches.mu.Unlock()
		return c.b.batches.open != nil && len(c.b.batches.open.commands) == c.sent
	})
}

// go lets the answers through.
func (c *crowd) release() {
	c.t.Helper()
	c.proxy.HoldReplies(false)
	c.wg.Wait()
	if err := <-c.first; err != nil {
		c.t.Errorf("the operation that had the connection: %v", err)
	}
}

// TestBatch: operations that wait for the only connection travel in one request, and
// each gets its own answer, also where the server has forgotten the script.
func TestBatch(t *testing.T) {
	t.Parallel()
	for _, forgotten := range []bool{false, true} {
		t.Run(fmt.Sprintf("forgotten=%t", forgotten), func(t *testing.T) {
			t.Parallel()
			server := testserver.StartRedis(t, testserver.RedisOptions{})
			b, proxy := through(t, server.URL, "?pool_size=1&pipeline_pool_size=-1")
			ns := namespace()
			known := mustSave(t, b, request(driver.Key{Namespace: ns, Thread: "known"}, []byte("known state")))
			c := newCrowd(t, b, proxy, ns)
			if forgotten {
				if err := clientOf(t, server.URL).ScriptFlush(t.Context()).Err(); err != nil {
					t.Fatal(err)
				}
			}
			before := proxy.Counts().Requests
			for i := range 20 {
				key := driver.Key{Namespace: ns, Thread: fmt.Sprintf("thread %d", i)}
				c.join(func() {
					if info, err := b.Save(t.Context(), request(key, []byte(key.Thread))); err != nil || info.Version != 1 || info.Key != key {
						t.Errorf("Save of %q = %+v, %v", key.Thread, info, err)
					}
				})
			}
			c.join(func() {
				req := request(known.Key, nil)
				req.Match.ID = "another"
				var conflict *driver.ConflictError
				if _, err := b.Save(t.Context(), req); !errors.As(err, &conflict) || conflict.Current.ID != known.ID {
					t.Errorf("Save on a condition that does not hold: error %v, want a conflict with %q", err, known.ID)
				}
			})
			c.join(func() {
				if _, err := b.Load(t.Context(), driver.LoadRequest{Key: driver.Key{Namespace: ns, Thread: "none"}, Now: time.Now()}); !errors.Is(err, driver.ErrNotFound) {
					t.Errorf("Load of what is not there: error %v, want ErrNotFound", err)
				}
			})
			c.join(func() {
				if cp := mustLoad(t, b, known.Key); string(cp.Payload) != "known state" {
					t.Errorf("Load = %q", cp.Payload)
				}
			})
			c.release()
			if got := proxy.Counts().Requests - before; !forgotten && got != 1 {
				t.Errorf("%d operations took %d requests, want 1", c.sent, got)
			}
			if !forgotten && !b.batches.crowded.Load() {
				t.Error("the callers of a batch are not expected to come back together")
			}
			for i := range 20 {
				key := driver.Key{Namespace: ns, Thread: fmt.Sprintf("thread %d", i)}
				if cp := mustLoad(t, b, key); string(cp.Payload) != key.Thread || cp.Version != 1 {
					t.Errorf("Load of %q = %q, version %d", key.Thread, cp.Payload, cp.Version)
				}
			}
			if b.batches.crowded.Load() {
				t.Error("after a caller that came alone, others are waited for")
			}
		})
	}
}

// TestBatchLeft: a caller whose context ends gets its error at once. What was not sent
// is not sent any more, and what was sent does not depend on the caller's memory.
func TestBatchLeft(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, testserver.RedisOptions{})
	b, proxy := through(t, server.URL, "?pool_size=1")
	ns := namespace()
	c := newCrowd(t, b, proxy, ns)
	payload := []byte("what was saved")
	save := func(ctx context.Context, thread string) error {
		_, err := b.Save(ctx, request(driver.Key{Namespace: ns, Thread: thread}, payload))
		return err
	}
	canceled := func(thread string) context.CancelFunc {
		ctx, cancel := context.WithCancel(t.Context())
		c.join(func() {
			if err := save(ctx, thread); !errors.Is(err, context.Canceled) {
				t.Errorf("Save of %q = %v, want context.Canceled", thread, err)
			}
		})
		return cancel
	}
	canceled("alone")()
	c.wg.Wait() // before the batch has left
	if b.batches.open != nil {
		t.Error("a batch that all have left waits on")
	}
	c.sent = 0
	unsent := canceled("unsent")
	sent := canceled("sent")
	unsent()
	await(t, func() bool {
		b.batches.mu.Lock()
		defer b.batches.mu.Unlock()
		return b.batches.open.callers == 1
	})
	before := proxy.Counts().Requests
	server.Pause()
	proxy.HoldReplies(false)
	await(t, func() bool { return proxy.Counts().Requests > before })
	sent()
	c.wg.Wait()
	clear(payload)
	server.Resume()
	c.release()
	if cp := mustLoad(t, b, driver.Key{Namespace: ns, Thread: "sent"}); string(cp.Payload) != "what was saved" {
		t.Errorf("Load = %q", cp.Payload)
	}
	for _, thread := range []string{"alone", "unsent"} {
		if _, err := b.Load(t.Context(), driver.LoadRequest{Key: driver.Key{Namespace: ns, Thread: thread}, Now: time.Now()}); !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("Load of %q, whose Save was cancelled before it was sent: error %v, want ErrNotFound", thread, err)
		}
	}
}

// TestBatchLost loses a batch on its way, or the answers to it: what can be told is
// told, and nothing is saved twice.
func TestBatchLost(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(p *faultproxy.Proxy, match func([]byte) bool){
		"Request": func(p *faultproxy.Proxy, match func([]byte) bool) { p.CutRequestMatching(1, match) },
		"Answers": func(p *faultproxy.Proxy, match func([]byte) bool) { p.DropReplyMatching(1, match) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, proxy := through(t, testserver.Redis(t), "?pool_size=1")
			ns := namespace()
			c := newCrowd(t, b, proxy, ns)
			lose(proxy, func(request []byte) bool { return bytes.Contains(request, []byte("thread 9")) })
			var errs [10]error
			key := func(i int) driver.Key { return driver.Key{Namespace: ns, Thread: fmt.Sprintf("thread %d", i)} }
			for i := range errs {
				c.join(func() { _, errs[i] = b.Save(t.Context(), request(key(i), []byte("state"))) })
			}
			for range 10 {
				c.join(func() { mustLoad(t, b, driver.Key{Namespace: ns, Thread: "first"}) })
			}
			c.release()
			for i, err := range errs {
				cp, missing := b.Load(t.Context(), driver.LoadRequest{Key: key(i), Now: time.Now()})
				switch name {
				case "Answers":
					if err != nil || missing != nil || cp.Version != 1 {
						t.Errorf("Save whose answer was lost = %v, then version %d, %v", err, cp.Version, missing)
					}
				default:
					if !errors.Is(err, driver.ErrUnavailable) || !errors.Is(missing, driver.ErrNotFound) {
						t.Errorf("Save whose request was lost = %v, then %v", err, missing)
					}
				}
			}
		})
	}
}

// TestBatchClosed: Close ends what waits.
func TestBatchClosed(t *testing.T) {
	t.Parallel()
	b, proxy := through(t, testserver.Redis(t), "?pool_size=1")
	ns := namespace()
	c := newCrowd(t, b, proxy, ns)
	for i := range 3 {
		c.join(func() {
			if _, err := b.Save(t.Context(), request(driver.Key{Namespace: ns, Thread: fmt.Sprint(i)}, nil)); !errors.Is(err, driver.ErrClosed) {
				t.Errorf("Save = %v, want ErrClosed", err)
			}
		})
	}
	b.Close()
	c.wg.Wait()
	if err := <-c.first; !errors.Is(err, driver.ErrClosed) {
		t.Errorf("Load = %v, want ErrClosed", err)
	}
}

// TestBatchLimits: a batch takes so many commands, and no large states.
func TestBatchLimits(t *testing.T) {
	t.Parallel()
	b, proxy := through(t, testserver.Redis(t), "?pool_size=1")
	ns := namespace()
	large := mustSave(t, b, request(driver.Key{Namespace: ns, Thread: "large"}, sizes["Large"]))
	mustLoad(t, b, large.Key)
	if b.expectsSmall() {
		t.Error("a load after one that brought much is expected to bring little")
	}
	b.large.Store(0)
	c := newCrowd(t, b, proxy, ns)
	var wg sync.WaitGroup
	for i := range 2 * maxBatch {
		wg.Go(func() {
			if info := mustSave(t, b, request(driver.Key{Namespace: ns, Thread: fmt.Sprint(i)}, nil)); info.Version != 1 {
				t.Errorf("Save = version %d", info.Version)
			}
		})
	}
	await(t, func() bool {
		b.batches.mu.Lock()
		defer b.batches.mu.Unlock()
		return b.batches.open != nil && len(b.batches.open.commands) == maxBatch
	})
	before := proxy.Counts().Requests
	c.release()
	wg.Wait()
	if got := proxy.Counts().Requests - before; got < 2 || got > 4 {
		t.Errorf("%d saves took %d requests, want 2", 2*maxBatch, got)
	}
}

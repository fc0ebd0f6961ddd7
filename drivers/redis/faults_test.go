package redis

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// saving matches the request of a save with a certain id.
func saving(id string) func([]byte) bool {
	return func(request []byte) bool { return bytes.Contains(request, []byte(id)) }
}

// loseReply saves through the proxy and loses the reply, once the save has been
// carried out. (DropReply cannot do it to a transaction, which the server
// begins to answer before it has come to its end.)
func loseReply(t testing.TB, b *backend, proxy *faultproxy.Proxy, direct driver.Backend, req driver.SaveRequest) (driver.Info, error) {
	t.Helper()
	mustSave(t, b, request(driver.Key{Namespace: req.Namespace, Thread: "other"}, req.Payload)) // opens a connection
	ctx, cancel := context.WithCancel(t.Context())
	proxy.HoldReplies(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer proxy.HoldReplies(false)
		defer proxy.Cut()
		for ctx.Err() == nil {
			cp, err := direct.Load(ctx, driver.LoadRequest{Key: req.Key, Now: req.Now})
			if err == nil && cp.ID == req.ID {
				return
			}
		}
	}()
	info, err := b.Save(t.Context(), req)
	cancel()
	<-done
	return info, err
}

var sizes = map[string][]byte{
	"Small": []byte("small"),
	"Large": bytes.Repeat([]byte("large "), 20_000),
}

// TestLostReply loses the answer to a save that was carried out.
func TestLostReply(t *testing.T) {
	t.Parallel()
	for name, payload := range sizes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := testserver.Redis(t)
			b, proxy := through(t, dsn, "")
			direct := openDSN(t, dsn)
			key := driver.Key{Namespace: namespace(), Thread: "thread"}
			for version := int64(1); version <= 4; version++ {
				req := request(key, payload)
				req.Keep = int(version)
				if version == 4 {
					req.Match.ID = mustLoad(t, b, key).ID
				}
				info, err := loseReply(t, b, proxy, direct, req)
				if err != nil || info.Version != version || info.ID != req.ID {
					t.Errorf("Save whose reply was lost = %+v, %v, want version %d", info, err, version)
				}
				if got := mustLoad(t, b, key); got.Version != version || !bytes.Equal(got.Payload, payload) {
					t.Errorf("Load = version %d, want %d", got.Version, version)
				}
			}
		})
	}
}

// TestLostReplyOvertaken lets another save in between the lost reply and the
// look for it: where the version is still kept the save is recognised, else the
// error says that nobody knows. It is never applied twice.
func TestLostReplyOvertaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keep int
		want error
	}{
		"Kept":    {2, nil},
		"Dropped": {1, driver.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := testserver.Redis(t)
			b, proxy := through(t, dsn, "?min_retry_backoff=50ms")
			other := openDSN(t, dsn)
			key := driver.Key{Namespace: namespace(), Thread: "thread"}
			mustSave(t, other, request(key, nil))
			req := request(key, []byte("first"))
			req.Keep = c.keep
			// The look for the save is held back until another save is done.
			var once sync.Once
			overtaken := make(chan struct{})
			proxy.DropReplyMatching(1, saving(req.ID))
			proxy.CutRequestMatching(1, func(request []byte) bool {
				if !bytes.Contains(bytes.ToLower(request), []byte("\r\nlindex\r\n")) {
					return false
				}
				once.Do(func() { close(overtaken) })
				return true
			})
			done := make(chan struct{})
			go func() {
				defer close(done)
				<-overtaken
				second := request(key, []byte("second"))
				second.Keep = c.keep
				if _, err := other.Save(context.WithoutCancel(t.Context()), second); err != nil {
					t.Error(err)
				}
			}()
			info, err := b.Save(t.Context(), req)
			<-done
			if !errors.Is(err, c.want) || info.ID != req.ID || info.Key != key {
				t.Errorf("Save = %+v, %v, want the id %s and error %v", info, err, req.ID, c.want)
			}
			if got := mustLoad(t, other, key); got.Version != 3 || string(got.Payload) != "second" {
				t.Errorf("Load = version %d %q, want version 3, the other's", got.Version, got.Payload)
			}
		})
	}
}

// TestLostRequest cuts the connection before a save arrives. It is not tried again,
// whatever its condition, for the first attempt might still arrive.
func TestLostRequest(t *testing.T) {
	t.Parallel()
	for name, payload := range sizes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, proxy := through(t, testserver.Redis(t), "")
			key := driver.Key{Namespace: namespace(), Thread: "thread"}
			first := mustSave(t, b, request(key, payload))
			for _, match := range []driver.Match{{}, {ID: first.ID}, {Version: 1}} {
				req := request(key, payload)
				req.Match = match
				proxy.CutRequestMatching(1, saving(req.ID))
				if info, err := b.Save(t.Context(), req); !errors.Is(err, driver.ErrUnavailable) || info.ID != req.ID {
					t.Errorf("Save with Match %+v whose request was lost = %+v, %v, want ErrUnavailable and the id", match, info, err)
				}
			}
			if got := mustLoad(t, b, key); got.ID != first.ID {
				t.Errorf("Load = version %d, want 1", got.Version)
			}
		})
	}
}

// TestLostReplyIDSavedAgain loses the reply of a write on condition of an id, and lets
// another caller save with that id anew before the driver does anything more: the write
// is not applied to that version too.
func TestLostReplyIDSavedAgain(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	for name, c := range map[string]struct {
		write  func(ctx context.Context, b *backend, first driver.SaveRequest) error
		delete bool // before the id is saved again
		want   error
	}{
		"Save": {want: driver.ErrUnavailable, write: func(ctx context.Context, b *backend, first driver.SaveRequest) error {
			req := request(first.Key, []byte("mine"))
			req.Match.ID = first.ID
			_, err := b.Save(ctx, req)
			return err
		}},
		"SavePatch": {delete: true, want: driver.ErrUnavailable, write: func(ctx context.Context, b *backend, first driver.SaveRequest) error {
			req := driver.PatchRequest{SaveRequest: request(first.Key, []byte("mine")), Base: 1, Previous: driver.Previous{ID: first.ID, Digest: first.Digest}}
			req.Digest = "another"
			_, err := b.SavePatch(ctx, req)
			return err
		}},
		"Delete": {want: driver.ErrUnavailable, write: func(ctx context.Context, b *backend, first driver.SaveRequest) error {
			return b.Delete(ctx, driver.DeleteRequest{Key: first.Key, Match: driver.Match{ID: first.ID}, Now: first.Now})
		}},
		"Rewrite": {delete: true, want: driver.ErrNotFound, write: func(ctx context.Context, b *backend, first driver.SaveRequest) error {
			return b.Rewrite(ctx, driver.RewriteRequest{Key: first.Key, Version: 1, ID: first.ID, Payload: []byte("mine"), Encoding: "bytes", Now: first.Now, CreatedAt: first.Now})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, proxy := through(t, dsn, "")
			other := openDSN(t, dsn)
			first := request(driver.Key{Namespace: namespace(), Thread: "saved-again"}, []byte("first"))
			first.Digest = "digest"
			mustSave(t, b, first)
			var writes, again sync.Once
			writing := func(request []byte) (first bool) {
				if bytes.Contains(request, []byte("saved-again")) {
					writes.Do(func() { first = true })
				}
				return first
			}
			saveAgain := func() {
				again.Do(func() {
					if c.delete {
						if err := other.Delete(t.Context(), driver.DeleteRequest{Key: first.Key}); err != nil {
							t.Error(err)
						}
					}
					again := first
					again.Payload, again.Now = []byte("again"), first.Now.Add(time.Second)
					if info, err := other.Save(t.Context(), again); err != nil {
						t.Errorf("Save with the id = %+v, %v", info, err)
					}
				})
			}
			proxy.DropReplyMatching(1, writing)
			proxy.CutRequestMatching(1, func([]byte) bool { // whatever is sent next
				saveAgain()
				return false
			})
			if err := c.write(t.Context(), b, first); !errors.Is(err, c.want) {
				t.Errorf("the write whose reply was lost: %v, want %v", err, c.want)
			}
			saveAgain() // where nothing was sent
			if got := mustLoad(t, other, first.Key); got.ID != first.ID || string(got.Payload) != "again" {
				t.Errorf("the latest version is %s %q, want the one that was saved meanwhile", got.ID, got.Payload)
			}
		})
	}
}

// TestDeleteLostReply: a Delete that was carried out succeeds; one of which
// nobody knows does not, and removes nothing that came later.
func TestDeleteLostReply(t *testing.T) {
	t.Parallel()
	b, proxy := through(t, testserver.Redis(t), "")
	key := driver.Key{Namespace: namespace(), Thread: "thread-to-delete"}
	mustSave(t, b, request(key, nil))
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: driver.Key{Namespace: key.Namespace, Thread: "x"}}); err != nil { // the script becomes known
		t.Fatal(err)
	}
	deleting := func(request []byte) bool {
		return bytes.Contains(request, []byte(deleteScript.digest)) && bytes.Contains(request, []byte("thread-to-delete\r\n$0\r\n"))
	}
	proxy.CutRequestMatching(1, deleting)
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key}); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Delete whose request was lost: error %v, want ErrUnavailable", err)
	}
	mustLoad(t, b, key)
	proxy.DropReplyMatching(1, deleting)
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key}); err != nil {
		t.Errorf("Delete whose reply was lost: %v", err)
	}
	if _, err := b.Load(t.Context(), driver.LoadRequest{Key: key, Now: time.Now()}); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("Load after Delete: error %v, want ErrNotFound", err)
	}
}

// TestDeletePrefixLostReply: a batch of DeletePrefix whose reply was lost is not sent
// again, since it would remove what was created in between.
func TestDeletePrefixLostReply(t *testing.T) {
	t.Parallel()
	b, proxy := through(t, testserver.Redis(t), "")
	key := driver.Key{Namespace: namespace(), Thread: "run/1"}
	req := driver.DeletePrefixRequest{Namespace: key.Namespace, Prefix: "run/", Now: time.Now()}
	mustSave(t, b, request(key, nil))
	if n, err := b.DeletePrefix(t.Context(), req); n != 1 || err != nil { // the script becomes known
		t.Fatal(n, err)
	}
	mustSave(t, b, request(key, nil))
	proxy.DropReplyMatching(1, func(request []byte) bool { return bytes.Contains(request, []byte(purgeScript.digest)) })
	if n, err := b.DeletePrefix(t.Context(), req); n != 0 || !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("DeletePrefix whose reply was lost: %d, error %v, want 0 and ErrUnavailable", n, err)
	}
	if n, err := b.DeletePrefix(t.Context(), req); n != 0 || err != nil {
		t.Errorf("DeletePrefix after that: %d, error %v, want 0 and nil", n, err)
	}
}

// TestLostReads loses requests and replies of every operation that may be
// repeated, and nobody notices.
func TestLostReads(t *testing.T) {
	t.Parallel()
	b, proxy := through(t, testserver.Redis(t), "")
	key := driver.Key{Namespace: namespace(), Thread: "thread"}
	req := request(key, []byte("payload"))
	req.Keep = 5
	for range 3 {
		req.ID += "x"
		mustSave(t, b, req)
	}
	for name, run := range map[string]func() error{
		"Ping": func() error { return b.Ping(t.Context()) },
		"Load": func() error { _, err := b.Load(t.Context(), driver.LoadRequest{Key: key, Now: time.Now()}); return err },
		"Version": func() error {
			_, err := b.Load(t.Context(), driver.LoadRequest{Key: key, Version: 2, Now: time.Now()})
			return err
		},
		"List":    func() error { list(t, b, driver.ListRequest{Namespace: key.Namespace}); return nil },
		"History": func() error { history(t, b, driver.HistoryRequest{Key: key}); return nil },
		"Purge":   func() error { _, err := b.Purge(t.Context(), key.Namespace, time.Now()); return err },
		"Find": func() error {
			_, err := b.Find(t.Context(), driver.FindRequest{Key: key, ID: req.ID, Now: time.Now()})
			return err
		},
		"Versions": func() error { readLog(t, b, driver.VersionsRequest{Key: key}); return nil },
		"DeletePrefix": func() error {
			_, err := b.DeletePrefix(t.Context(), driver.DeletePrefixRequest{Namespace: key.Namespace, Prefix: "other", Now: time.Now()})
			return err
		},
		"Rewrite": func() error {
			return b.Rewrite(t.Context(), driver.RewriteRequest{Key: key, Version: 3, ID: req.ID, Payload: []byte("other"), Encoding: "bytes", Now: time.Now()})
		},
		"Namespaces": func() error {
			for _, err := range b.Namespaces(t.Context()) {
				return err
			}
			return nil
		},
	} {
		for fault, lose := range map[string]func(int){"request": proxy.CutRequest, "reply": proxy.DropReply} {
			lose(1)
			if err := run(); err != nil {
				t.Errorf("%s with a lost %s: %v", name, fault, err)
			}
		}
	}
}

// TestForgottenScripts flushes the server's scripts between any two operations.
func TestForgottenScripts(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, testserver.RedisOptions{})
	b := openDSN(t, server.URL)
	admin := clientOf(t, server.URL)
	key := driver.Key{Namespace: "n", Thread: "thread"}
	flush := func() {
		if err := admin.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	version := int64(0)
	for range 3 {
		for name, payload := range sizes {
			flush()
			req := request(key, payload)
			req.Keep = 4
			version++
			if info := mustSave(t, b, req); info.Version != version {
				t.Errorf("%s save after SCRIPT FLUSH is version %d, want %d", name, info.Version, version)
			}
			flush()
			if cp := mustLoad(t, b, key); cp.Version != version || !bytes.Equal(cp.Payload, payload) {
				t.Errorf("Load after SCRIPT FLUSH is version %d, want %d", cp.Version, version)
			}
			if keys, err := admin.Keys(t.Context(), "*:g:*").Result(); err != nil || len(keys) > 0 {
				t.Errorf("keys left of a transaction: %q, %v", keys, err)
			}
		}
		flush()
		if cp, err := b.Load(t.Context(), driver.LoadRequest{Key: key, Version: version - 1, Now: time.Now()}); err != nil || cp.Version != version-1 {
			t.Errorf("Load of a version after SCRIPT FLUSH: %v", err)
		}
		flush()
		if got := history(t, b, driver.HistoryRequest{Key: key}); len(got) != int(min(version, 4)) {
			t.Errorf("History after SCRIPT FLUSH: %v", got)
		}
		flush()
		if _, err := b.Purge(t.Context(), "n", time.Now()); err != nil {
			t.Errorf("Purge after SCRIPT FLUSH: %v", err)
		}
	}
	server.Restart() // a server without the scripts' memory
	if cp := mustLoad(t, b, key); cp.Version != version {
		t.Errorf("Load after a restart is version %d, want %d", cp.Version, version)
	}
	flush()
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key}); err != nil {
		t.Errorf("Delete after SCRIPT FLUSH: %v", err)
	}
}

// TestBlackHole lets the network swallow everything in the middle of an
// operation. The call returns soon after its context ends, by deadline and by
// cancel, whether it waits for an answer or cannot even send.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	const soon = answerWithin - time.Second // what does not look at its context ends after that
	huge := make([]byte, 12<<20)            // more than the kernel takes
	for _, client := range []string{"Own", "Application's"} {
		for _, way := range []string{"Deadline", "Cancel"} {
			t.Run(client+"/"+way, func(t *testing.T) {
				t.Parallel()
				var b driver.Backend
				var proxy *faultproxy.Proxy
				b, proxy = through(t, testserver.Redis(t), "")
				if client != "Own" {
					b = withClient(t, "redis://"+proxy.Addr())
				}
				key := driver.Key{Namespace: namespace(), Thread: "thread"}
				mustSave(t, b, request(key, []byte("before")))
				for name, run := range map[string]func(context.Context) error{
					"Load": func(ctx context.Context) error {
						_, err := b.Load(ctx, driver.LoadRequest{Key: key, Now: time.Now()})
						return err
					},
					"Save": func(ctx context.Context) error { _, err := b.Save(ctx, request(key, []byte("lost"))); return err },
					"Save of 12 MiB": func(ctx context.Context) error {
						req := request(key, huge)
						info, err := b.Save(ctx, req)
						if info.ID != req.ID {
							t.Errorf("Save returned %+v, want the id", info)
						}
						return err
					},
					"List": func(ctx context.Context) error {
						for _, err := range b.List(ctx, driver.ListRequest{Namespace: key.Namespace, Now: time.Now()}) {
							return err
						}
						return nil
					},
				} {
					mustLoad(t, b, key) // a connection that works
					proxy.BlackHole(true)
					ctx, cancel := context.WithCancel(t.Context())
					want := context.Canceled
					if way == "Deadline" {
						ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
						want = context.DeadlineExceeded
					} else {
						time.AfterFunc(200*time.Millisecond, cancel)
					}
					start := time.Now()
					err := run(ctx)
					if took := time.Since(start); took > soon {
						t.Errorf("%s returned after %v", name, took)
					}
					if !errors.Is(err, want) {
						t.Errorf("%s: error %v, want %v", name, err, want)
					}
					cancel()
					proxy.Cut() // what was sent is lost for good
					proxy.BlackHole(false)
				}
				if got := mustLoad(t, b, key); string(got.Payload) != "before" {
					t.Errorf("Load = %d bytes, want the state before", len(got.Payload))
				}
			})
		}
	}
}

// TestInterruptSparesOthers cancels calls while others use the same pool: the
// connection of a call that is over belongs to the next one.
func TestInterruptSparesOthers(t *testing.T) {
	t.Parallel()
	b := openDSN(t, testserver.Redis(t)+"?pool_size=2&max_retries=-1")
	key := driver.Key{Namespace: namespace(), Thread: "thread"}
	mustSave(t, b, request(key, []byte("state")))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 300 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%2 == 0 {
					go cancel()
				}
				_, err := b.Load(ctx, driver.LoadRequest{Key: key, Now: time.Now()})
				if err != nil && ctx.Err() == nil {
					t.Errorf("Load of a call that nobody cancelled: %v", err)
				}
				cancel() // when the connection may have gone to another
			}
		})
	}
	wg.Wait()
}

// TestServerStops lets a server hang for longer than a command may take, and
// checks that what is saved in the meantime is applied at most once.
func TestServerStops(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, testserver.RedisOptions{})
	b := openDSN(t, server.URL+"?read_timeout=300ms")
	key := driver.Key{Namespace: "n", Thread: "thread"}
	mustSave(t, b, request(key, nil))
	server.Pause()
	var wg sync.WaitGroup
	var errs [5]error
	for i := range errs {
		wg.Go(func() { _, errs[i] = b.Save(t.Context(), request(key, nil)) })
	}
	wg.Wait()
	server.Resume()
	for _, err := range errs {
		if !errors.Is(err, driver.ErrUnavailable) || strings.Contains(err.Error(), "context") {
			t.Errorf("Save while the server hangs: error %v, want ErrUnavailable", err)
		}
	}
	// All five were sent, and may be carried out now, each once.
	if cp := mustLoad(t, b, key); cp.Version > 6 {
		t.Errorf("after 6 saves the thread is at version %d", cp.Version)
	}
	if info := mustSave(t, b, request(key, nil)); info.Version < 2 || info.Version > 7 {
		t.Errorf("the next save is version %d, want 2 to 7", info.Version)
	}
}

// TestLeavesNoTransactionBehind crashes the client's connection at every point
// of a large save.
func TestLeavesNoTransactionBehind(t *testing.T) {
	t.Parallel()
	server := testserver.StartRedis(t, testserver.RedisOptions{})
	b, proxy := through(t, server.URL, "")
	admin := clientOf(t, server.URL)
	key := driver.Key{Namespace: "n", Thread: "thread"}
	mustSave(t, b, request(key, sizes["Large"]))
	for _, piece := range []string{"multi", "evalsha", "lpushx", "rename", "exec"} {
		before := mustLoad(t, b, key)
		proxy.CutRequestMatching(1, func(request []byte) bool { return bytes.Contains(bytes.ToLower(request), []byte(piece)) })
		_, err := b.Save(t.Context(), request(key, sizes["Large"]))
		if err != nil && !errors.Is(err, driver.ErrUnavailable) {
			t.Errorf("Save cut at %s: error %v, want ErrUnavailable", piece, err)
		}
		proxy.Heal()
		if after := mustLoad(t, b, key); after.Version != before.Version && err != nil {
			t.Errorf("Save cut at %s: version %d, want %d", piece, after.Version, before.Version)
		}
		keys, err := admin.Keys(t.Context(), "{n:*").Result()
		if want := 2; err != nil || len(keys) != want {
			t.Errorf("after a Save cut at %s the namespace has the keys %q, want %d (%v)", piece, keys, want, err)
		}
	}
}

package postgres

import (
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestRoundTrips counts what each operation costs once its connection is open
// and its statement was used on it.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"prepare=true", "prepare=false"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			proxy, dsn := behind(t, testserver.Postgres(t))
			b := openReady(t, words(dsn, "max_connections=1", mode))
			ctx := t.Context()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			conditional := func(thread string, match driver.Match, want error) {
				req := save(thread, `{"n": 1}`)
				req.Match = match
				if want == nil {
					b.contended.Store(0) // a conflict before does not count
				}
				_, err := b.Save(ctx, req)
				if want == nil {
					must(err)
				} else if _, ok := err.(*driver.ConflictError); !ok {
					t.Fatalf("got %v, want a conflict", err)
				}
			}
			kept := func(keep int) driver.SaveRequest {
				req := save("history", `{"n": 1}`)
				req.Keep = keep
				return req
			}
			must(chained(ctx, b, "chain", 1, 0, 2))
			chain := int64(1) // its latest version
			var latest driver.Info
			for _, op := range []struct {
				name string
				run  func()
				want int64
			}{
				{"ping", func() { must(b.Ping(ctx)) }, 1},
				{"save", func() { latest = mustSave(t, b, save("thread", `{"n": 1}`)) }, 1},
				{"save of bytes", func() {
					req := save("bytes", "\x00\xff")
					req.Encoding = "bytes"
					mustSave(t, b, req)
				}, 1},
				{"save of what JSONB cannot hold", func() { mustSave(t, b, save("odd", `"\u0000"`)) }, 1},
				{"save with history", func() { mustSave(t, b, kept(3)) }, 1},
				// The first finds the history that it is to drop; the second makes it anew.
				{"save that drops history", func() { mustSave(t, b, kept(1)); mustSave(t, b, kept(2)) }, 3},
				{"conditional save", func() {
					info := mustSave(t, b, save("cas", `1`))
					conditional("cas", driver.Match{ID: info.ID}, nil)
				}, 2},
				{"first conflict", func() { b.contended.Store(0); conditional("cas", driver.Match{ID: "none"}, driver.ErrConflict) }, 2},
				{"conflict", func() { conditional("cas", driver.Match{ID: "none"}, driver.ErrConflict) }, 1},
				{"conditional save with history", func() {
					req := kept(3)
					req.Match.Exists = true
					b.contended.Store(0)
					mustSave(t, b, req)
				}, 1},
				{"save if version", func() {
					info := mustSave(t, b, save("cas", `1`))
					conditional("cas", driver.Match{Version: info.Version}, nil)
				}, 2},
				{"save if exists", func() { conditional("cas", driver.Match{Exists: true}, nil) }, 1},
				{"conflict of versions", func() { conditional("cas", driver.Match{Version: 1 << 40}, driver.ErrConflict) }, 1},
				{"conflict on absence", func() { conditional("cas", driver.Match{Absent: true}, driver.ErrConflict) }, 1},
				{"patch", func() { chain++; must(chained(ctx, b, "chain", chain, 1, 2)) }, 1},
				{"refused patch", func() {
					if err := chained(ctx, b, "chain", 99, 1, 2); err != driver.ErrBase {
						t.Fatalf("got %v, want ErrBase", err)
					}
				}, 1},
				{"load of a patch", func() {
					if cp, err := load(ctx, b, "chain"); err != nil || int64(len(cp.Links)) != chain-1 {
						t.Fatalf("got %d links, %v, want %d", len(cp.Links), err, chain-1)
					}
				}, 1},
				{"load of a patch by a handle that has not met one", func() {
					b.chains.Store(0)
					_, err := load(ctx, b, "chain")
					must(err)
				}, 2},
				{"load", func() { _, err := load(ctx, b, "thread"); must(err) }, 1},
				{"load of a large state", func() {
					req := save("large", string(make([]byte, 1<<20)))
					req.Encoding = "bytes"
					mustSave(t, b, req)
					_, err := load(ctx, b, "large")
					must(err)
				}, 2},
				{"load of a version", func() {
					_, err := b.Load(ctx, driver.LoadRequest{Key: key("history"), Version: 1, Now: time.Now()})
					if err != nil && err != driver.ErrNotFound {
						t.Fatal(err)
					}
				}, 1},
				{"find", func() {
					_, err := b.Find(ctx, driver.FindRequest{Key: key("history"), ID: "none", Now: time.Now()})
					if err != driver.ErrNotFound {
						t.Fatal(err)
					}
				}, 1},
				{"versions", func() {
					_, err := drain(b.Versions(ctx, driver.VersionsRequest{Key: key("history"), Now: time.Now()}))
					must(err)
				}, 1},
				{"delete under a condition", func() {
					info := mustSave(t, b, save("gone", `1`))
					must(b.Delete(ctx, driver.DeleteRequest{Key: key("gone"), Match: driver.Match{ID: info.ID}, Now: time.Now()}))
				}, 2},
				{"conflict of a deletion", func() {
					err := b.Delete(ctx, driver.DeleteRequest{Key: key("cas"), Match: driver.Match{ID: "none"}, Now: time.Now()})
					if _, ok := err.(*driver.ConflictError); !ok {
						t.Fatalf("got %v, want a conflict", err)
					}
				}, 1},
				{"delete of a prefix", func() {
					_, err := b.DeletePrefix(ctx, driver.DeletePrefixRequest{Namespace: "agents", Prefix: "none", Now: time.Now()})
					must(err)
				}, 1},
				{"list", func() {
					_, err := drain(b.List(ctx, driver.ListRequest{Namespace: "agents", Now: time.Now()}))
					must(err)
				}, 1},
				{"history", func() { history(t, b, "history") }, 1},
				{"namespaces", func() { _, err := drain(b.Namespaces(ctx)); must(err) }, 1},
				{"rewrite", func() {
					must(b.Rewrite(ctx, driver.RewriteRequest{Key: latest.Key, Version: latest.Version, ID: latest.ID, Payload: []byte(`2`), Encoding: "json", Now: time.Now()}))
				}, 1},
				{"import", func() {
					must(b.Delete(ctx, driver.DeleteRequest{Key: key("imported")}))
					c := driver.Checkpoint{Info: latest, Payload: []byte("1")}
					c.Thread = "imported"
					must(b.Import(ctx, driver.ImportRequest{Checkpoint: c, Now: time.Now(), Keep: 1}))
				}, 2},
				{"purge", func() { _, err := b.Purge(ctx, "agents", time.Now()); must(err) }, 1},
				{"delete", func() { must(b.Delete(ctx, driver.DeleteRequest{Key: key("thread")})) }, 1},
			} {
				op.run()
				op.run() // prepares
				if op.name == "delete" {
					mustSave(t, b, save("thread", `1`))
				}
				if op.name == "rewrite" {
					latest = mustSave(t, b, save("thread", `1`))
				}
				before := proxy.Counts()
				op.run()
				if got := proxy.Counts().Sub(before); got.RoundTrips != op.want || got.Requests != op.want || got.Connections != 0 {
					t.Errorf("%s: %d round trips, %d requests and %d new connections, want %d, %d and none", op.name, got.RoundTrips, got.Requests, got.Connections, op.want, op.want)
				}
			}
		})
	}
}

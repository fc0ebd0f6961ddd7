package checkpointtest_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

var brokenOptional = []brokenBackend{
	{name: "Purge counts versions", fails: "Raw/Purge/Expired",
		fault: each(func(f *faulty) {
			f.purge = func(ctx context.Context, namespace string, now time.Time) (int64, error) {
				n, err := f.full.Purge(ctx, namespace, now)
				return 2 * n, err
			}
		})},
	{name: "Purge removes threads with expired versions", fails: "Raw/Purge/LiveStay",
		fault: each(func(f *faulty) {
			f.purge = func(ctx context.Context, namespace string, now time.Time) (int64, error) {
				for info := range f.full.List(ctx, driver.ListRequest{Namespace: namespace, Now: now}) {
					for version := range f.full.History(ctx, driver.HistoryRequest{Key: info.Key, Now: now}) {
						if version.Expired(now) {
							f.full.Delete(ctx, driver.DeleteRequest{Key: info.Key})
						}
					}
				}
				return f.full.Purge(ctx, namespace, now)
			}
		})},
	{name: "Purge ends after one batch", fails: "Raw/Purge/Many",
		fault: each(func(f *faulty) {
			f.purge = func(ctx context.Context, namespace string, now time.Time) (int64, error) {
				if all, _ := collect(f.full.List(ctx, driver.ListRequest{Namespace: namespace})); len(all) < 500 {
					return f.full.Purge(ctx, namespace, now)
				}
				return 500, ctx.Err()
			}
		})},
	{name: "Purge removes what it has seen before", fails: "Raw/Purge/WhileSaving",
		fault: each(func(f *faulty) {
			f.purge = func(ctx context.Context, namespace string, now time.Time) (int64, error) {
				if strings.Contains(namespace, ".") || ctx.Err() != nil { // not the store's
					return f.full.Purge(ctx, namespace, now)
				}
				all, err := collect(f.full.List(ctx, driver.ListRequest{Namespace: namespace}))
				if err != nil {
					return 0, err
				}
				time.Sleep(100 * time.Microsecond)
				var n int64
				for _, info := range all {
					if info.Expired(now) {
						f.full.Delete(ctx, driver.DeleteRequest{Key: info.Key})
						n++
					}
				}
				return n, nil
			}
		})},
	{name: "Purge takes the namespace for a prefix", fails: "Raw/Walls/Purge",
		fault: each(func(f *faulty) {
			f.purge = func(ctx context.Context, namespace string, now time.Time) (int64, error) {
				for ns := range f.full.Namespaces(ctx) {
					if strings.HasPrefix(ns, namespace) && ns != namespace {
						f.full.Purge(ctx, ns, now)
					}
				}
				return f.full.Purge(ctx, namespace, now)
			}
		})},
	{name: "namespaces are yielded for each thread", fails: "Raw/Namespaces/EachOnce",
		fault: each(func(f *faulty) {
			f.namespaces = func(ctx context.Context) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) {
					for ns, err := range f.full.Namespaces(ctx) {
						if !yield(ns, err) || err == nil && !yield(ns, nil) {
							return
						}
					}
				}
			}
		})},
	{name: "Namespaces holds a lock", fails: "Raw/Namespaces/LoopBody", hangs: true,
		fault: each(func(f *faulty) {
			var mu sync.RWMutex
			f.namespaces = func(ctx context.Context) iter.Seq2[string, error] {
				return locked(&mu, f.full.Namespaces(ctx))
			}
			savingLocked(f, &mu)
		})},
	{name: "Import makes an id of its own", fails: "Raw/Import/AsGiven",
		fault: importing(func(f *faulty, req *driver.ImportRequest) {
			if req.ID == "the-id-of-another-program" {
				req.ID = "ours"
			}
		})},
	{name: "Import keeps everything", fails: "Raw/Import/History",
		fault: importing(func(f *faulty, req *driver.ImportRequest) { req.Keep = driver.KeepAll })},
	{name: "a second Import is a conflict", fails: "Raw/Import/Again",
		fault: each(func(f *faulty) {
			f.importing = func(ctx context.Context, req driver.ImportRequest) error {
				if there := f.latest(ctx, req.Key, req.Now); there.Version >= req.Version {
					return &driver.ConflictError{Current: there}
				}
				return f.full.Import(ctx, req)
			}
		})},
	{name: "Import overwrites what is newer", fails: "Raw/Import/NotOver",
		fault: each(func(f *faulty) {
			f.importing = func(ctx context.Context, req driver.ImportRequest) error {
				err := f.full.Import(ctx, req)
				if errors.Is(err, driver.ErrConflict) {
					f.full.Delete(ctx, driver.DeleteRequest{Key: req.Key})
					err = f.full.Import(ctx, req)
				}
				return err
			}
		})},
	{name: "Import takes no notice of its condition", fails: "Raw/Import/Condition", only: []string{"Raw/Import/Condition"},
		fault: importing(func(f *faulty, req *driver.ImportRequest) { req.Match = driver.Match{} })},
	{name: "Import over a gap renumbers", fails: "Raw/Import/Gap",
		fault: each(func(f *faulty) {
			f.importing = func(ctx context.Context, req driver.ImportRequest) error {
				if there := f.latest(ctx, req.Key, req.Now); there.Version > 0 && req.Version > there.Version+1 {
					req.Version = there.Version + 1
				}
				return f.full.Import(ctx, req)
			}
		})},
	{name: "Import goes on from an expired life", fails: "Raw/Import/ExpiredLife",
		fault: importing(func(f *faulty, req *driver.ImportRequest) {
			if req.Version == 3 {
				req.Now = time.Time{}
			}
		})},
	{name: "an imported thread never expires", fails: "Raw/Import/Expired",
		fault: importing(func(f *faulty, req *driver.ImportRequest) {
			if req.Info.Expired(req.Now) {
				req.ExpiresAt = time.Time{}
			}
		})},
	{name: "saves after Import have a new CreatedAt", fails: "Raw/Import/SavedAfter",
		fault: func() func(*faulty) {
			imported := new(threadSet)
			return func(f *faulty) {
				f.importing = func(ctx context.Context, req driver.ImportRequest) error {
					imported.add(req.Key)
					return f.full.Import(ctx, req)
				}
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					info, err := f.full.Save(ctx, req)
					if imported.has(req.Key) {
						info.CreatedAt = info.SavedAt
					}
					return info, err
				}
			}
		}},
	{name: "Collect takes expired threads for nobody's", fails: "Raw/Collect/Keeps",
		fault: each(func(f *faulty) {
			f.collect = func(ctx context.Context, req driver.CollectRequest) (int64, error) {
				n, err := f.full.(driver.Collector).Collect(ctx, req)
				for ns := range f.full.Namespaces(ctx) {
					for info := range f.full.List(ctx, driver.ListRequest{Namespace: ns}) {
						if !info.ExpiresAt.IsZero() && !req.DryRun {
							f.full.Delete(ctx, driver.DeleteRequest{Key: info.Key})
						}
					}
				}
				return n, err
			}
		})},
	{name: "Collect removes what is being written", fails: "Raw/Collect/WhileSaving",
		fault: func() func(*faulty) {
			var mu sync.Mutex
			writing := make(map[driver.Key]bool)
			return func(f *faulty) {
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					mu.Lock()
					writing[req.Key] = true
					mu.Unlock()
					info, err := f.full.Save(ctx, req)
					time.Sleep(time.Millisecond)
					mu.Lock()
					delete(writing, req.Key)
					mu.Unlock()
					return info, err
				}
				f.collect = func(ctx context.Context, req driver.CollectRequest) (int64, error) {
					mu.Lock()
					defer mu.Unlock()
					for key := range writing {
						f.full.Delete(ctx, driver.DeleteRequest{Key: key})
					}
					return f.full.(driver.Collector).Collect(ctx, req)
				}
			}
		}},
	{name: "Rewrite is a save", fails: "Raw/Rewrite/Payload",
		fault: each(func(f *faulty) {
			f.rewrite = func(ctx context.Context, req driver.RewriteRequest) error {
				err := f.full.Rewrite(ctx, req)
				if err == nil && len(req.Payload) == 0 {
					req.Encoding = "json"
					err = f.full.Rewrite(ctx, req)
				}
				return err
			}
		})},
	{name: "Rewrite looks at the version alone", fails: "Raw/Rewrite/Missing",
		fault: each(func(f *faulty) {
			f.rewrite = func(ctx context.Context, req driver.RewriteRequest) error {
				if c, err := f.full.Load(ctx, driver.LoadRequest{Key: req.Key, Version: req.Version, Now: req.Now}); err == nil {
					req.ID = c.ID
				}
				return f.full.Rewrite(ctx, req)
			}
		})},
	{name: "Rewrite takes one life for another", fails: "Raw/Rewrite/FormerLife", only: []string{"Raw/Rewrite/FormerLife"},
		fault: each(func(f *faulty) {
			f.rewrite = func(ctx context.Context, req driver.RewriteRequest) error {
				req.CreatedAt = time.Time{}
				return f.full.Rewrite(ctx, req)
			}
		})},
	{name: "Rewrite writes back a history that is old by now", fails: "Raw/Rewrite/WhileSaving",
		fault: each(func(f *faulty) {
			f.rewrite = func(ctx context.Context, req driver.RewriteRequest) error {
				before := f.latest(ctx, req.Key, req.Now)
				err := f.full.Rewrite(ctx, req)
				time.Sleep(100 * time.Microsecond)
				if after := f.latest(ctx, req.Key, req.Now); err == nil && after.ID != before.ID {
					f.full.Delete(ctx, driver.DeleteRequest{Key: req.Key}) // the saves in between are lost
				}
				return err
			}
		})},
}

// importing changes the requests of Import.
func importing(change func(*faulty, *driver.ImportRequest)) fault {
	return each(func(f *faulty) {
		f.importing = func(ctx context.Context, req driver.ImportRequest) error {
			change(f, &req)
			return f.full.Import(ctx, req)
		}
	})
}

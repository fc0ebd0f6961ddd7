package checkpointtest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

var brokenReads = []brokenBackend{
	{name: "a new handle reads an old version first", fails: "Raw/Save/Reopened",
		fault: func() func(*faulty) {
			var handles atomic.Int64
			return func(f *faulty) {
				opened := handles.Add(1)
				var used atomic.Bool
				f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					c, err := f.full.Load(ctx, req)
					if err == nil && opened > 1 && !used.Swap(true) && req.Version == 0 && c.Version > 1 {
						if old, err := f.full.Load(ctx, driver.LoadRequest{Key: req.Key, Version: c.Version - 1, Now: req.Now}); err == nil {
							c = old
						}
					}
					return c, err
				}
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					used.Store(true)
					return f.full.Save(ctx, req)
				}
			}
		}},
	{name: "a handle keeps what it has loaded", fails: "Raw/Save/OtherHandle",
		fault: each(func(f *faulty) {
			var mu sync.Mutex
			cache := make(map[driver.Key]driver.Checkpoint)
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				mu.Lock()
				defer mu.Unlock()
				c, err := f.full.Load(ctx, req)
				if cached, ok := cache[req.Key]; ok && err == nil && req.Version == 0 && c.Version == cached.Version+1 && c.Version < 9 {
					return cached, nil // until the next but one
				}
				if err == nil && req.Version == 0 {
					cache[req.Key] = c
				}
				return c, err
			}
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				mu.Lock()
				defer mu.Unlock()
				delete(cache, req.Key)
				return f.full.Save(ctx, req)
			}
		})},
	{name: "the last save is lost on close", fails: "Raw/Save/Reopened",
		fault: each(func(f *faulty) {
			var mu sync.Mutex
			var last driver.Key
			saves := 0
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				mu.Lock()
				if req.Keep == 10 {
					saves++
					last = req.Key
				}
				mu.Unlock()
				return f.full.Save(ctx, req)
			}
			f.close = func() error {
				mu.Lock()
				defer mu.Unlock()
				if saves == 1 {
					saves = 0
					if f.latest(context.Background(), last, time.Now()).Version == 1 {
						f.full.Delete(context.Background(), driver.DeleteRequest{Key: last})
					}
				}
				return f.full.Close()
			}
		})},
	{name: "a reader sees the version before while a save is under way", fails: "Raw/Concurrency/ReadersGoForward",
		fault: func() func(*faulty) {
			var saving, before sync.Map
			return func(f *faulty) {
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					if c, err := f.full.Load(ctx, driver.LoadRequest{Key: req.Key, Now: req.Now}); err == nil && c.Version > 1 {
						saving.Store(req.Key, true)
						time.Sleep(100 * time.Microsecond)
						defer before.Store(req.Key, c)
						defer saving.Delete(req.Key)
					}
					return f.full.Save(ctx, req)
				}
				f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					c, err := f.full.Load(ctx, req)
					old, ok := before.Load(req.Key)
					if _, busy := saving.Load(req.Key); ok && busy && err == nil && req.Version == 0 {
						return old.(driver.Checkpoint), nil
					}
					return c, err
				}
			}
		}},
	{name: "times in a zone", fails: "Raw/Save/Times",
		fault: each(infos(func(i *driver.Info) { i.SavedAt = i.SavedAt.In(time.FixedZone("server", 3600)) }))},
	{name: "times in milliseconds", fails: "Raw/Save/Times",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				info, err := f.full.Save(ctx, req)
				info.SavedAt = info.SavedAt.Truncate(time.Millisecond)
				return info, err
			}
		})},
	{name: "expired at the first moment after", fails: "Raw/Expiry/Load",
		fault: each(func(f *faulty) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				c, err := f.full.Load(ctx, req)
				if errors.Is(err, driver.ErrNotFound) {
					early := req
					early.Now = req.Now.Add(-time.Nanosecond)
					return f.full.Load(ctx, early)
				}
				return c, err
			}
		})},
	{name: "expired threads are listed", fails: "Raw/Expiry/List",
		fault: listing(func(req *driver.ListRequest) { req.Now = time.Time{} }, nil)},
	{name: "expired threads take places on a page", fails: "Raw/Expiry/List",
		fault: each(func(f *faulty) {
			f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
				early := req
				early.Now = time.Time{}
				return func(yield func(driver.Info, error) bool) {
					for info, err := range f.full.List(ctx, early) {
						if err == nil && info.Expired(req.Now) {
							continue
						}
						if !yield(info, err) {
							return
						}
					}
				}
			}
		})},
	{name: "expired threads have a history", fails: "Raw/Expiry/History",
		fault: each(func(f *faulty) {
			f.history = func(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
				req.Now = time.Time{}
				return f.full.History(ctx, req)
			}
		})},
	{name: "old versions take over the expiry of the latest", fails: "Raw/Expiry/OldVersions",
		fault: histories(func(req driver.HistoryRequest, infos []driver.Info) []driver.Info {
			for i := range infos {
				infos[i].ExpiresAt = infos[0].ExpiresAt
			}
			return infos
		})},
	{name: "a version far above the latest is the latest", fails: "Raw/History/Dropped",
		fault: each(func(f *faulty) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				if current := f.latest(ctx, req.Key, req.Now); current.ID != "" && req.Version > current.Version+1 {
					req.Version = 0
				}
				return f.full.Load(ctx, req)
			}
		})},
	{name: "a load panics", fails: "Raw/History/Dropped",
		fault: each(func(f *faulty) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				if req.Version == driver.MaxVersion {
					panic("index out of range")
				}
				return f.full.Load(ctx, req)
			}
		})},
	{name: "every version has the latest payload", fails: "Raw/History/Payloads",
		fault: each(func(f *faulty) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				c, err := f.full.Load(ctx, req)
				if err == nil && strings.HasPrefix(string(c.Payload), "payload of version") {
					last, _ := f.full.Load(ctx, driver.LoadRequest{Key: req.Key, Now: req.Now})
					c.Payload = last.Payload
				}
				return c, err
			}
		})},
	{name: "history is read in two halves", fails: "Raw/History/WhileSaving",
		fault: each(func(f *faulty) {
			f.history = func(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
				return func(yield func(driver.Info, error) bool) {
					first, err := collect(f.full.History(ctx, req))
					if err != nil || req.Limit > 0 || len(first) < 5 {
						f.full.History(ctx, req)(yield)
						return
					}
					time.Sleep(100 * time.Microsecond)
					second, _ := collect(f.full.History(ctx, req))
					lazily(func() ([]driver.Info, error) { return slices.Concat(second[:1], first[1:]), nil })(yield)
				}
			}
		})},
	{name: "Before is inclusive", fails: "Raw/History/Pages",
		fault: each(func(f *faulty) {
			f.history = func(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
				if req.Before > 2 {
					req.Before++
				}
				return f.full.History(ctx, req)
			}
		})},
	{name: "an absent thread's history is an error", fails: "Raw/History/Absent",
		fault: each(func(f *faulty) {
			f.history = func(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
				return lazily(func() ([]driver.Info, error) {
					infos, err := collect(f.full.History(ctx, req))
					if err == nil && len(infos) == 0 && req.Thread == "other" {
						err = driver.ErrNotFound
					}
					return infos, err
				})
			}
		})},
	{name: "versions of a deleted thread can be loaded", fails: "Raw/History/Deleted",
		fault: func() func(*faulty) {
			var ghosts sync.Map
			return func(f *faulty) {
				f.remove = func(ctx context.Context, req driver.DeleteRequest) error {
					if f.latest(ctx, req.Key, time.Time{}).Version == 5 {
						if c, err := f.full.Load(ctx, driver.LoadRequest{Key: req.Key, Version: 3}); err == nil {
							ghosts.Store(req.Key, c)
						}
					}
					return f.full.Delete(ctx, req)
				}
				f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					c, err := f.full.Load(ctx, req)
					if ghost, ok := ghosts.Load(req.Key); ok && errors.Is(err, driver.ErrNotFound) && req.Version == 3 {
						return ghost.(driver.Checkpoint), nil
					}
					return c, err
				}
			}
		}},
	{name: "old versions were saved when the latest was", fails: "Raw/History/Infos",
		fault: histories(func(req driver.HistoryRequest, infos []driver.Info) []driver.Info {
			for i := range infos {
				infos[i].SavedAt = infos[0].SavedAt
			}
			return infos
		})},
}

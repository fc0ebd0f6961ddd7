package checkpointtest_test

import (
	"context"
	"iter"
	"runtime"
	"sync"

	"github.com/go-ckpt/checkpoint/driver"
)

// brokenBetween write in two steps, and readers see what lies between.
var brokenBetween = []brokenBackend{
	{name: "the head comes before its version", fails: "Raw/Save/SeenWhole", only: []string{"Raw/History/WhileSaving", "Raw/Concurrency/DeleteAndSave", "Raw/Save/SeenWhole", "Raw/Save/FirstSeenWhole", "Raw/Versions/WhileSaving", "Raw/Rewrite/WhileSaving"},
		fault: betweenSaves(func(f *faulty, b *between) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				c, err := f.full.Load(ctx, req)
				if req.Version != 0 && err == nil && b.saving(req.Key).ID == c.ID {
					return driver.Checkpoint{}, driver.ErrNotFound
				}
				return c, err
			}
		})},
	{name: "the version comes before its head", fails: "Raw/Save/SeenWhole", only: []string{"Raw/History/WhileSaving", "Raw/Concurrency/ReadersGoForward", "Raw/Save/SeenWhole", "Raw/Versions/WhileSaving", "Raw/Rewrite/WhileSaving"},
		fault: betweenSaves(func(f *faulty, b *between) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				c, err := f.full.Load(ctx, req)
				if req.Version == 0 && err == nil && c.Version > 1 && b.saving(req.Key).ID == c.ID {
					req.Version = c.Version - 1
					return f.full.Load(ctx, req)
				}
				return c, err
			}
		})},
	{name: "the list follows the data", fails: "Raw/Save/SeenWhole", only: []string{"Raw/Save/SeenWhole", "Raw/Save/FirstSeenWhole"},
		fault: betweenSaves(func(f *faulty, b *between) {
			f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
				return changing(f.full.List(ctx, req), func(i *driver.Info) {
					if i.Version > 1 && b.saving(i.Key).ID == i.ID {
						i.Version--
					}
				})
			}
		})},
	{name: "the ids follow the data", fails: "Raw/Save/SeenWhole", only: []string{"Raw/Save/SeenWhole", "Raw/Save/FirstSeenWhole"},
		fault: betweenSaves(func(f *faulty, b *between) {
			f.find = func(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
				if b.saving(req.Key).ID == req.ID && ctx.Err() == nil {
					return driver.Info{}, driver.ErrNotFound
				}
				return f.full.Find(ctx, req)
			}
		})},
	{name: "a name comes before its thread", fails: "Raw/Save/FirstSeenWhole", only: []string{"Raw/Save/SeenWhole", "Raw/Save/FirstSeenWhole"},
		fault: betweenSaves(func(f *faulty, b *between) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				c, err := f.full.Load(ctx, req)
				if err == nil && c.Version == 1 && b.saving(req.Key).ID == c.ID {
					return driver.Checkpoint{}, driver.ErrNotFound
				}
				return c, err
			}
		})},
	{name: "a thread comes before its name", fails: "Raw/Save/FirstSeenWhole", only: []string{"Raw/Save/FirstSeenWhole"},
		fault: betweenSaves(func(f *faulty, b *between) {
			f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
				return func(yield func(driver.Info, error) bool) {
					for info, err := range f.full.List(ctx, req) {
						if info.Version == 1 && b.saving(info.Key).ID == info.ID && err == nil {
							continue
						}
						if !yield(info, err) {
							return
						}
					}
				}
			}
		})},
	{name: "loops that are ended leave their goroutine behind", fails: "Raw/Concurrency/AbandonedLoops", only: []string{"Raw/Concurrency/AbandonedLoops"},
		fault: each(func(f *faulty) {
			f.history = func(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
				return func(yield func(driver.Info, error) bool) {
					type item struct {
						info driver.Info
						err  error
					}
					items := make(chan item)
					go func() {
						defer close(items)
						for info, err := range f.full.History(ctx, req) {
							items <- item{info, err}
						}
					}()
					for i := range items {
						if !yield(i.info, i.err) {
							return
						}
					}
				}
			}
		})},
}

// A between knows which save is between its two writes.
type between struct{ saves sync.Map }

// saving is the request that is between its writes for a thread.
func (b *between) saving(key driver.Key) driver.SaveRequest {
	req, _ := b.saves.Load(key)
	r, _ := req.(driver.SaveRequest)
	return r
}

// betweenSaves is a backend whose saves take a moment from the first write to the
// second one, which is as short as it can be.
func betweenSaves(breakHandle func(*faulty, *between)) fault {
	return func() func(*faulty) {
		b := new(between)
		return func(f *faulty) {
			breakHandle(f, b)
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				b.saves.Store(req.Key, req)
				defer b.saves.Delete(req.Key)
				info, err := f.full.Save(ctx, req)
				runtime.Gosched()
				return info, err
			}
		}
	}
}

package checkpointtest_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

var brokenSaves = []brokenBackend{
	{name: "CreatedAt is reset by each save", fails: "Raw/Save/CreatedAt",
		fault: func() func(*faulty) {
			own := new(threadSet) // what was imported is not touched
			return func(f *faulty) {
				infos(func(i *driver.Info) {
					if own.has(i.Key) {
						i.CreatedAt = i.SavedAt
					}
				})(f)
				f.importing = func(ctx context.Context, req driver.ImportRequest) error {
					return f.full.Import(ctx, req)
				}
				save := f.save
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					if f.latest(ctx, req.Key, req.Now).ID == "" {
						own.add(req.Key)
					}
					return save(ctx, req)
				}
			}
		}},
	{name: "CreatedAt outlives expiry", fails: "Raw/Expiry/NewLife",
		fault: func() func(*faulty) {
			var mu sync.Mutex
			created := make(map[driver.Key]time.Time)
			return func(f *faulty) {
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					former := f.latest(ctx, req.Key, time.Time{})
					info, err := f.full.Save(ctx, req)
					mu.Lock()
					defer mu.Unlock()
					if err == nil && former.Expired(req.Now) {
						created[req.Key] = former.CreatedAt
					}
					if at, ok := created[req.Key]; ok && err == nil {
						info.CreatedAt = at
					}
					return info, err
				}
			}
		}},
	{name: "expiry is never made earlier", fails: "Raw/Expiry/SetAfresh",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if former := f.latest(ctx, req.Key, req.Now); !req.ExpiresAt.IsZero() && former.ExpiresAt.After(req.ExpiresAt) && former.Version == 2 {
					req.ExpiresAt = former.ExpiresAt
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "expiry beyond 64 bits of nanoseconds is never", fails: "Raw/Expiry/FarFuture",
		fault: saving(func(req *driver.SaveRequest) {
			if req.ExpiresAt.Year() > 2262 {
				req.ExpiresAt = time.Time{}
			}
		})},
	{name: "one version too many is kept", fails: "Raw/History/Window",
		fault: saving(func(req *driver.SaveRequest) {
			if req.Keep > 6 && req.Keep < 1000 {
				req.Keep++
			}
		})},
	{name: "all is a hundred", fails: "Raw/History/Long",
		fault: saving(func(req *driver.SaveRequest) {
			if req.Keep == driver.KeepAll {
				req.Keep = 100
			}
		})},
	{name: "a save drops one version at most", fails: "Raw/History/Lowered",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if kept, _ := collect(f.full.History(ctx, driver.HistoryRequest{Key: req.Key, Now: req.Now})); len(kept) > req.Keep {
					req.Keep = len(kept)
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "a higher Keep starts history anew", fails: "Raw/History/Raised",
		fault: func() func(*faulty) {
			var mu sync.Mutex
			keeps := make(map[driver.Key]int)
			return func(f *faulty) {
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					mu.Lock()
					if former, ok := keeps[req.Key]; ok && former == 2 && req.Keep == 5 {
						req.Keep = 1
					} else {
						keeps[req.Key] = req.Keep
					}
					mu.Unlock()
					return f.full.Save(ctx, req)
				}
			}
		}},
	{name: "the request's payload is kept", fails: "Raw/Save/RequestIsCopied", only: []string{"Raw/Save/RequestIsCopied"},
		fault: func() func(*faulty) {
			var payloads sync.Map
			return func(f *faulty) {
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					info, err := f.full.Save(ctx, req)
					if err == nil && info.ID == req.ID && info.SavedAt.Equal(req.Now) {
						if _, there := payloads.LoadOrStore(req.ID, req.Payload); there {
							return info, err
						}
					}
					return info, err
				}
				f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					c, err := f.full.Load(ctx, req)
					if p, ok := payloads.Load(c.ID); ok && err == nil && len(c.Payload) == len(p.([]byte)) && c.Version == 1 {
						c.Payload = slices.Clone(p.([]byte))
					}
					return c, err
				}
			}
		}},
	{name: "the returned payload is shared", fails: "Raw/Save/ResultIsCopied", only: []string{"Raw/Save/ResultIsCopied"},
		fault: func() func(*faulty) {
			var payloads sync.Map
			return func(f *faulty) {
				f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					c, err := f.full.Load(ctx, req)
					if err == nil && c.Encoding == "bytes" {
						if p, there := payloads.LoadOrStore(c.ID, c.Payload); there {
							c.Payload = p.([]byte)
						}
					}
					return c, err
				}
			}
		}},
	{name: "a handle knows the id that it has saved last", fails: "Raw/Repeat/OnAnotherHandle", only: []string{"Raw/Repeat/OnAnotherHandle"},
		fault: knowing(func(ctx context.Context, f *faulty, last driver.Info, req driver.SaveRequest) (driver.Info, bool) {
			return last, last.ID == req.ID && f.latest(ctx, req.Key, req.Now).Version == last.Version+1
		})},
	{name: "a handle tells by its id whether a head is the one that it knows", fails: "Raw/Repeat/OnAnotherHandle", only: []string{"Raw/Repeat/OnAnotherHandle"},
		fault: knowing(func(ctx context.Context, f *faulty, last driver.Info, req driver.SaveRequest) (driver.Info, bool) {
			there := f.latest(ctx, req.Key, req.Now)
			if req.ID == there.ID || last.ID != there.ID || last.Version >= there.Version || !req.Match.Holds(last) {
				return driver.Info{}, false
			}
			info := driver.Info{Key: req.Key, ID: req.ID, Version: last.Version + 1, Size: len(req.Payload), Encoding: req.Encoding, CreatedAt: last.CreatedAt, SavedAt: req.Now, ExpiresAt: req.ExpiresAt}
			f.full.Delete(ctx, driver.DeleteRequest{Key: req.Key})
			err := f.full.Import(ctx, driver.ImportRequest{Checkpoint: driver.Checkpoint{Info: info, Payload: req.Payload}, Now: req.Now, Keep: req.Keep})
			return info, err == nil
		})},
	{name: "saves are merged under load", fails: "Raw/Concurrency/OneThread",
		fault: func() func(*faulty) {
			var busy sync.Map
			return func(f *faulty) {
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					if f.latest(ctx, req.Key, req.Now).Version < 7 || req.Match != (driver.Match{}) {
						return f.full.Save(ctx, req)
					}
					if _, taken := busy.LoadOrStore(req.Key, true); taken {
						info := f.latest(ctx, req.Key, req.Now) // whoever comes too late is told what is there
						info.ID = req.ID
						return info, nil
					}
					defer busy.Delete(req.Key)
					runtime.Gosched()
					return f.full.Save(ctx, req)
				}
			}
		}},
	{name: "a save during a delete goes on from the old versions", fails: "Raw/Concurrency/DeleteAndSave",
		fault: func() func(*faulty) {
			var deleting sync.Map
			return func(f *faulty) {
				f.remove = func(ctx context.Context, req driver.DeleteRequest) error {
					if old := f.latest(ctx, req.Key, time.Time{}); old.ID != "" {
						deleting.Store(req.Key, old.Version)
						defer deleting.Delete(req.Key)
					}
					err := f.full.Delete(ctx, req)
					time.Sleep(300 * time.Microsecond)
					return err
				}
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					old, ok := deleting.Load(req.Key)
					if ok && f.latest(ctx, req.Key, req.Now).ID == "" {
						info := driver.Info{Key: req.Key, ID: req.ID, Version: old.(int64) + 1, Size: len(req.Payload), Encoding: req.Encoding, CreatedAt: req.Now, SavedAt: req.Now, ExpiresAt: req.ExpiresAt}
						if f.full.Import(ctx, driver.ImportRequest{Checkpoint: driver.Checkpoint{Info: info, Payload: req.Payload}, Now: req.Now, Keep: req.Keep}) == nil {
							return info, nil
						}
					}
					return f.full.Save(ctx, req)
				}
			}
		}},
	{name: "the Info of a save that expires lacks the encoding", fails: "Raw/Save/Info",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				info, err := f.full.Save(ctx, req)
				if !info.ExpiresAt.IsZero() {
					info.Encoding = ""
				}
				return info, err
			}
		})},
	{name: "the version that is returned is one ahead", fails: "Raw/Save/VersionsCount",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				info, err := f.full.Save(ctx, req)
				if info.Version == 5 && req.Keep == 2 {
					info.Version++
				}
				return info, err
			}
		})},
	{name: "Delete works only on a handle that was used before", fails: "Raw/Save/WithoutPing",
		fault: each(func(f *faulty) {
			var used atomic.Bool
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				used.Store(true)
				return f.full.Save(ctx, req)
			}
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				used.Store(true)
				return f.full.Load(ctx, req)
			}
			f.remove = func(ctx context.Context, req driver.DeleteRequest) error {
				err := f.full.Delete(ctx, req)
				if err == nil && !used.Load() {
					err = driver.ErrUnavailable
				}
				return err
			}
		})},
	{name: "concurrent saves share a buffer", fails: "Raw/Concurrency/ManyThreads",
		fault: each(func(f *faulty) {
			var buffer atomic.Pointer[[]byte]
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if strings.HasPrefix(string(req.Payload), "thread-") {
					own := req.Payload
					buffer.Store(&own)
					time.Sleep(100 * time.Microsecond)
					req.Payload = *buffer.Load()
				}
				return f.full.Save(ctx, req)
			}
		})},
}

// knowing is a Save of handles that remember what they have saved last in each thread,
// and may go by that instead of by the database.
func knowing(save func(ctx context.Context, f *faulty, last driver.Info, req driver.SaveRequest) (driver.Info, bool)) fault {
	return each(func(f *faulty) {
		var lasts sync.Map
		f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
			if last, ok := lasts.Load(req.Key); ok {
				if info, done := save(ctx, f, last.(driver.Info), req); done {
					return info, nil
				}
			}
			info, err := f.full.Save(ctx, req)
			if err == nil {
				lasts.Store(req.Key, info)
			}
			return info, err
		}
	})
}

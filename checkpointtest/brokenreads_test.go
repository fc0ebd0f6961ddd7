package checkpointtest_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf16"

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
						f.full.Delete(context.Background(), last)
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
	{name: "expired at the first moment after", fails: "Raw/Expiry/Load", store: []string{},
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
	{name: "expired threads are listed", fails: "Raw/Expiry/List", store: []string{"Store/Expiry"},
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
	{name: "expired threads have a history", fails: "Raw/Expiry/History", store: []string{"Store/Expiry"},
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
	{name: "Before is inclusive", fails: "Raw/History/Pages", store: []string{"Store/History"},
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
	{name: "order of UTF-16", fails: "Raw/List/Order",
		fault: listing(nil, func(_ driver.ListRequest, infos []driver.Info) []driver.Info {
			slices.SortFunc(infos, func(a, b driver.Info) int {
				return slices.Compare(utf16.Encode([]rune(a.Thread)), utf16.Encode([]rune(b.Thread)))
			})
			return infos
		})},
	{name: "order without regard to case", fails: "Raw/List/Order", store: []string{"Store/List"},
		fault: listing(nil, func(_ driver.ListRequest, infos []driver.Info) []driver.Info {
			slices.SortStableFunc(infos, func(a, b driver.Info) int {
				return cmp.Compare(strings.ToLower(a.Thread), strings.ToLower(b.Thread))
			})
			return infos
		})},
	{name: "the list is of first versions", fails: "Raw/List/Latest",
		fault: listing(nil, func(_ driver.ListRequest, infos []driver.Info) []driver.Info {
			for i := range infos {
				if infos[i].Version == 3 && infos[i].Thread == "b" {
					infos[i].Version = 1
				}
			}
			return infos
		})},
	{name: "the prefix is a pattern", fails: "Raw/List/PrefixIsNoPattern", store: []string{"Store/List"},
		fault: each(func(f *faulty) {
			f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
				before, _, pattern := strings.Cut(req.Prefix, "%")
				if pattern {
					req.Prefix = before
				}
				return f.full.List(ctx, req)
			}
		})},
	{name: "the prefix has another case", fails: "Raw/List/Prefix",
		fault: listing(func(req *driver.ListRequest) {
			if req.Prefix == "User" {
				req.Prefix = "user"
			}
		}, nil)},
	{name: "the prefix is made valid UTF-8", fails: "Raw/List/ArbitraryBytes",
		fault: listing(func(req *driver.ListRequest) { req.Prefix = strings.ToValidUTF8(req.Prefix, "") }, nil)},
	{name: "After is inclusive", fails: "Raw/List/After", store: []string{"Store/List"},
		fault: listing(func(req *driver.ListRequest) { req.After, req.Limit = "", 0 }, func(req driver.ListRequest, infos []driver.Info) []driver.Info {
			infos = slices.DeleteFunc(infos, func(i driver.Info) bool { return i.Thread < req.After })
			if req.Limit > 0 {
				infos = infos[:min(req.Limit, len(infos))]
			}
			return infos
		})},
	{name: "Limit is ignored", fails: "Raw/List/Limit", store: []string{"Store/List"},
		fault: listing(func(req *driver.ListRequest) { req.Limit = 0 }, nil)},
	{name: "After is taken from the page, not the store", fails: "Raw/List/Paging", store: []string{"Store/List"},
		fault: listing(func(req *driver.ListRequest) {
			if req.Limit > 1 {
				req.After = ""
			}
		}, func(req driver.ListRequest, infos []driver.Info) []driver.Info {
			return slices.DeleteFunc(infos, func(i driver.Info) bool { return i.Thread <= req.After })
		})},
	{name: "a list ends after 1000", fails: "Raw/List/Many",
		fault: listing(nil, func(_ driver.ListRequest, infos []driver.Info) []driver.Info { return infos[:min(1000, len(infos))] })},
	{name: "a list holds a lock", fails: "Raw/List/LoopBody", hangs: true,
		fault: each(func(f *faulty) {
			var mu sync.RWMutex
			f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
				return locked(&mu, f.full.List(ctx, req))
			}
			savingLocked(f, &mu)
		})},
	{name: "a history holds a lock", fails: "Raw/History/LoopBody", hangs: true,
		fault: each(func(f *faulty) {
			var mu sync.RWMutex
			f.history = func(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
				return locked(&mu, f.full.History(ctx, req))
			}
			savingLocked(f, &mu)
		})},
	{name: "a list holds a connection", fails: "Raw/List/Nested", hangs: true,
		fault: each(func(f *faulty) {
			pool := make(chan struct{}, 10)
			f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
				return func(yield func(driver.Info, error) bool) {
					pool <- struct{}{}
					defer func() { <-pool }()
					f.full.List(ctx, req)(yield)
				}
			}
		})},
	{name: "pages by number, not by name", fails: "Raw/List/WhileWriting",
		fault: each(func(f *faulty) {
			f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
				return func(yield func(driver.Info, error) bool) {
					const page = 16
					for offset := 0; ; offset += page {
						infos, err := collect(f.full.List(ctx, req))
						if err != nil {
							yield(driver.Info{}, err)
							return
						}
						rest := infos[min(offset, len(infos)):]
						for _, info := range rest[:min(page, len(rest))] {
							if !yield(info, nil) {
								return
							}
						}
						if len(rest) <= page {
							return
						}
						if strings.HasPrefix(rest[0].Thread, "a-comes") || strings.HasPrefix(rest[0].Thread, "stay") {
							time.Sleep(100 * time.Microsecond)
						}
					}
				}
			}
		})},
	{name: "sizes of what is stored", fails: "Raw/Payload/Size",
		fault: loading(func(c *driver.Checkpoint) {
			var compact bytes.Buffer
			if c.Encoding == "json" && json.Compact(&compact, c.Payload) == nil {
				c.Size = compact.Len()
			}
		})},
	{name: "no metadata is an empty map", fails: "Raw/Metadata/None",
		fault: loading(func(c *driver.Checkpoint) {
			if c.Metadata == nil {
				c.Metadata = map[string]string{}
			}
		})},
	{name: "line ends in names are changed", fails: "Raw/Names/AnyCharacter",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				req.Thread = strings.ReplaceAll(req.Thread, "\r\n", "\n")
				return f.full.Save(ctx, req)
			}
		})},
	{name: "names are cut at 511 bytes", fails: "Raw/Names/Length",
		fault: saving(func(req *driver.SaveRequest) {
			if len(req.Thread) > 511 {
				req.Thread = strings.ToValidUTF8(req.Thread[:511], "")
			}
		})},
	{name: "versions are found under a name that a thread can have", fails: "Raw/Names/LikeKeys",
		fault: each(func(f *faulty) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				if thread, version, ok := strings.Cut(req.Thread, ":"); ok && version == "v1" {
					req.Thread = thread
				}
				return f.full.Load(ctx, req)
			}
		})},
	{name: "Load looks in a namespace of another case", fails: "Raw/Walls/Load",
		fault: each(func(f *faulty) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				c, err := f.full.Load(ctx, req)
				if errors.Is(err, driver.ErrNotFound) {
					req.Namespace = strings.ToLower(req.Namespace)
					return f.full.Load(ctx, req)
				}
				return c, err
			}
		})},
	{name: "List takes the namespace for a prefix", fails: "Raw/Walls/List", store: []string{"Store/Copy"},
		fault: each(func(f *faulty) {
			f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
				return lazily(func() ([]driver.Info, error) {
					all, err := collect(f.full.List(ctx, req))
					for ns := range f.full.Namespaces(ctx) {
						other := req
						if other.Namespace = ns; err == nil && strings.HasPrefix(ns, req.Namespace) && ns != req.Namespace {
							more, _ := collect(f.full.List(ctx, other))
							all = append(all, more...)
						}
					}
					return all, err
				})
			}
		})},
	{name: "Delete takes the namespace for a prefix", fails: "Raw/Walls/Delete",
		fault: each(func(f *faulty) {
			f.remove = func(ctx context.Context, key driver.Key) error {
				for ns := range f.full.Namespaces(ctx) {
					if strings.HasPrefix(ns, key.Namespace) {
						f.full.Delete(ctx, driver.Key{Namespace: ns, Thread: key.Thread})
					}
				}
				return f.full.Delete(ctx, key)
			}
		})},
	{name: "ids of other namespaces match", fails: "Raw/Walls/Conditions",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				other := driver.Key{Namespace: strings.TrimSuffix(req.Namespace, ".a"), Thread: req.Thread}
				if other != req.Key && req.Match.ID != "" && f.latest(ctx, other, req.Now).ID == req.Match.ID {
					req.Match = driver.Match{}
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "Delete of an absent thread is an error", fails: "Raw/Errors/DeleteAbsent", store: []string{"Store/Absent"},
		fault: each(func(f *faulty) {
			f.remove = func(ctx context.Context, key driver.Key) error {
				absent := ctx.Err() == nil && f.latest(ctx, key, time.Time{}).ID == ""
				if err := f.full.Delete(ctx, key); err != nil || !absent {
					return err
				}
				return driver.ErrNotFound
			}
		})},
	{name: "Save does not look at its context", fails: "Raw/Errors/EndedContext",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				return f.full.Save(context.WithoutCancel(ctx), req)
			}
		})},
	{name: "a context that ended is unavailability", fails: "Raw/Errors/EndedContext",
		fault: each(func(f *faulty) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				c, err := f.full.Load(ctx, req)
				if err != nil && errors.Is(err, ctx.Err()) {
					err = driver.ErrUnavailable
				}
				return c, err
			}
		})},
	{name: "Save forgets the id when it fails", fails: "Raw/Errors/SaveKeepsID",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				info, err := f.full.Save(ctx, req)
				if err != nil {
					info = driver.Info{}
				}
				return info, err
			}
		})},
	{name: "an error is yielded until the loop stops", fails: "Raw/Errors/IteratorOnce",
		fault: each(func(f *faulty) {
			f.history = func(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
				return func(yield func(driver.Info, error) bool) {
					for info, err := range f.full.History(ctx, req) {
						if !yield(info, err) || err != nil && ctx.Err() != nil && !errors.Is(err, driver.ErrClosed) && !yield(info, err) {
							return
						}
					}
				}
			}
		})},
	{name: "a cancelled call breaks the handle", fails: "Raw/Errors/UsableAfterwards",
		fault: each(func(f *faulty) {
			var cancelled atomic.Int64
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				if ctx.Err() != nil {
					cancelled.Add(1)
				}
				return f.full.Load(ctx, req)
			}
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if ctx.Err() == nil && cancelled.Load() > 4 {
					return driver.Info{Key: req.Key, ID: req.ID}, driver.ErrUnavailable
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "Delete works after Close", fails: "Raw/Closed/Methods",
		fault: func() func(*faulty) {
			return func(f *faulty) {
				var closed atomic.Bool
				f.close = func() error { closed.Store(true); return f.full.Close() }
				f.remove = func(ctx context.Context, key driver.Key) error {
					if closed.Load() {
						return nil
					}
					return f.full.Delete(ctx, key)
				}
			}
		}},
	{name: "the context's error comes before ErrClosed", fails: "Raw/Closed/Methods",
		fault: each(func(f *faulty) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				if err := ctx.Err(); err != nil {
					return driver.Checkpoint{}, err
				}
				return f.full.Load(ctx, req)
			}
		})},
	{name: "a list after Close is empty", fails: "Raw/Closed/Iterators",
		fault: each(func(f *faulty) {
			var closed atomic.Bool
			f.close = func() error { closed.Store(true); return f.full.Close() }
			f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
				return func(yield func(driver.Info, error) bool) {
					if !closed.Load() {
						f.full.List(ctx, req)(yield)
					}
				}
			}
		})},
	{name: "Close may be called once", fails: "Raw/Closed/Twice",
		fault: each(func(f *faulty) {
			var closed atomic.Bool
			f.close = func() error {
				if closed.Swap(true) {
					return driver.ErrClosed
				}
				return f.full.Close()
			}
		})},
	{name: "an operation during Close fails in another way", fails: "Raw/Closed/DuringOperations",
		fault: each(func(f *faulty) {
			var busy atomic.Int64
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				busy.Add(1)
				defer busy.Add(-1)
				info, err := f.full.Save(ctx, req)
				if errors.Is(err, driver.ErrClosed) && ctx.Err() == nil && strings.HasPrefix(req.Thread, "thread-") {
					err = driver.ErrUnavailable
				}
				return info, err
			}
		})},
	{name: "a list during which the backend is closed just ends", fails: "Raw/Closed/DuringIteration",
		fault: each(func(f *faulty) {
			var closed atomic.Bool
			f.close = func() error { closed.Store(true); return f.full.Close() }
			f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
				return func(yield func(driver.Info, error) bool) {
					began := !closed.Load()
					for info, err := range f.full.List(ctx, req) {
						if began && closed.Load() || !yield(info, err) {
							return
						}
					}
				}
			}
		})},
	{name: "a handle leaves a goroutine", fails: "Raw/Concurrency/Goroutines",
		withTest: func(t *testing.T) fault {
			over := make(chan struct{})
			t.Cleanup(func() { close(over) })
			return each(func(*faulty) { go func() { <-over }() })
		}},
}

// locked is an iterator that holds a lock while it yields.
func locked[T any](mu *sync.RWMutex, items iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		mu.RLock()
		defer mu.RUnlock()
		items(yield)
	}
}

// savingLocked makes Save take the lock.
func savingLocked(f *faulty, mu *sync.RWMutex) {
	f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
		mu.Lock()
		defer mu.Unlock()
		return f.full.Save(ctx, req)
	}
}

package checkpointtest_test

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	"github.com/go-ckpt/checkpoint/driver"
)

var brokenLists = []brokenBackend{
	{name: "order of UTF-16", fails: "Raw/List/Order",
		fault: listing(nil, func(_ driver.ListRequest, infos []driver.Info) []driver.Info {
			slices.SortFunc(infos, func(a, b driver.Info) int {
				return slices.Compare(utf16.Encode([]rune(a.Thread)), utf16.Encode([]rune(b.Thread)))
			})
			return infos
		})},
	{name: "order without regard to case", fails: "Raw/List/Order",
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
	{name: "the prefix is a pattern", fails: "Raw/List/PrefixIsNoPattern",
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
	{name: "After is inclusive", fails: "Raw/List/After",
		fault: listing(func(req *driver.ListRequest) { req.After, req.Limit = "", 0 }, func(req driver.ListRequest, infos []driver.Info) []driver.Info {
			infos = slices.DeleteFunc(infos, func(i driver.Info) bool { return i.Thread < req.After })
			if req.Limit > 0 {
				infos = infos[:min(req.Limit, len(infos))]
			}
			return infos
		})},
	{name: "Limit is ignored", fails: "Raw/List/Limit",
		fault: listing(func(req *driver.ListRequest) { req.Limit = 0 }, nil)},
	{name: "After is taken from the page, not the store", fails: "Raw/List/Paging",
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
	{name: "List takes the namespace for a prefix", fails: "Raw/Walls/List",
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
			f.remove = func(ctx context.Context, req driver.DeleteRequest) error {
				for ns := range f.full.Namespaces(ctx) {
					if strings.HasPrefix(ns, req.Namespace) && ns != req.Namespace {
						f.full.Delete(ctx, driver.DeleteRequest{Key: driver.Key{Namespace: ns, Thread: req.Thread}})
					}
				}
				return f.full.Delete(ctx, req)
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
	{name: "a deleted thread stays between its neighbours", fails: "Raw/List/Deleted",
		fault: func() func(*faulty) {
			var ghosts sync.Map
			return func(f *faulty) {
				f.remove = func(ctx context.Context, req driver.DeleteRequest) error {
					if old := f.latest(ctx, req.Key, time.Time{}); old.Encoding == "json" {
						ghosts.Store(req.Key, old)
					}
					return f.full.Delete(ctx, req)
				}
				f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
					return lazily(func() ([]driver.Info, error) {
						infos, err := collect(f.full.List(ctx, req))
						for i := 1; i < len(infos); i++ {
							between := driver.Key{Namespace: req.Namespace, Thread: "b"}
							if ghost, ok := ghosts.Load(between); ok && infos[i-1].Thread < "b" && infos[i].Thread > "b" {
								return slices.Insert(infos, i, ghost.(driver.Info)), err
							}
						}
						return infos, err
					})
				}
			}
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

package checkpointtest_test

import (
	"context"
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// Broken backends of the interfaces that logs and whole groups of threads need:
// Finder, VersionReader, PrefixDeleter.
var brokenLogs = []brokenBackend{
	{name: "Find returns the latest version", fails: "Raw/Find/Kept", only: []string{"Raw/Find/Kept", "Store/OwnIDs"},
		fault: finding(func(f *faulty, req driver.FindRequest) (driver.Info, error) {
			if info := f.kept(context.Background(), req.Key, req.ID, req.Now); info.ID == "" {
				return driver.Info{}, driver.ErrNotFound
			}
			info := f.latest(context.Background(), req.Key, req.Now)
			return info, nil
		})},
	{name: "Find looks at the latest version alone", fails: "Raw/Find/Kept", only: []string{"Raw/Save/SeenWhole", "Raw/Find/Kept", "Store/OwnIDs"},
		fault: finding(func(f *faulty, req driver.FindRequest) (driver.Info, error) {
			if info := f.latest(context.Background(), req.Key, req.Now); info.ID == req.ID {
				return info, nil
			}
			return driver.Info{}, driver.ErrNotFound
		})},
	{name: "Find compares ids without case", fails: "Raw/Find/Missing", only: []string{"Raw/Find/Missing"},
		fault: finding(func(f *faulty, req driver.FindRequest) (driver.Info, error) {
			for info := range f.full.History(context.Background(), driver.HistoryRequest{Key: req.Key, Now: req.Now}) {
				if strings.EqualFold(info.ID, req.ID) {
					return info, nil
				}
			}
			return driver.Info{}, driver.ErrNotFound
		})},
	{name: "Find takes the id for a pattern", fails: "Raw/Find/Missing", only: []string{"Raw/Find/Missing"},
		fault: finding(func(f *faulty, req driver.FindRequest) (driver.Info, error) {
			for info := range f.full.History(context.Background(), driver.HistoryRequest{Key: req.Key, Now: req.Now}) {
				if ok, _ := regexp.MatchString("^"+strings.ReplaceAll(regexp.QuoteMeta(req.ID), "%", ".*")+"$", info.ID); ok {
					return info, nil
				}
			}
			return driver.Info{}, driver.ErrNotFound
		})},
	{name: "Find sees expired threads", fails: "Raw/Find/Missing", only: []string{"Raw/Find/Missing"},
		fault: finding(func(f *faulty, req driver.FindRequest) (driver.Info, error) {
			req.Now = time.Time{}
			return f.full.Find(context.Background(), req)
		})},
	{name: "Find of nothing is an empty Info", fails: "Raw/Find/Missing", only: []string{"Raw/Find/Missing", "Raw/Find/NextLife", "Store/OwnIDs"},
		fault: finding(func(f *faulty, req driver.FindRequest) (driver.Info, error) {
			info, _ := f.full.Find(context.Background(), req)
			return info, nil
		})},
	{name: "ids of a deleted life are found", fails: "Raw/Find/NextLife", only: []string{"Raw/Find/Missing", "Raw/Find/NextLife", "Store/OwnIDs"},
		fault: func() func(*faulty) {
			var saved, former sync.Map // infos by id, of all lives and of those that were deleted
			return func(f *faulty) {
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					info, err := f.full.Save(ctx, req)
					saved.Store(req.ID, info)
					return info, err
				}
				f.remove = func(ctx context.Context, req driver.DeleteRequest) error {
					saved.Range(func(id, info any) bool {
						if info.(driver.Info).Key == req.Key {
							former.Store(id, info)
						}
						return true
					})
					return f.full.Delete(ctx, req)
				}
				f.find = func(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
					info, _ := former.Load(req.ID)
					if info, ok := info.(driver.Info); ok && info.Key == req.Key && f.latest(ctx, req.Key, req.Now).Version > 0 {
						return info, nil
					}
					return f.full.Find(ctx, req)
				}
			}
		}},

	{name: "To is exclusive", fails: "Raw/Versions/Ranges", only: []string{"Raw/Versions/Ranges", "Raw/Versions/LoopBody", "Store/Log"},
		fault: reading(func(req *driver.VersionsRequest) {
			if req.To > 1 {
				req.To--
			}
		}, nil)},
	{name: "From is exclusive", fails: "Raw/Versions/Ranges", only: []string{"Raw/Import/Numbers", "Raw/Versions/Ranges", "Raw/Versions/Many", "Store/Log"},
		fault: reading(func(req *driver.VersionsRequest) {
			if req.From > 0 {
				req.From++
			}
		}, nil)},
	{name: "the order is always ascending", fails: "Raw/Versions/Ranges",
		fault: reading(func(req *driver.VersionsRequest) { req.Newest = false }, nil)},
	{name: "Limit counts a page, not the versions", fails: "Raw/Versions/Ranges", only: []string{"Raw/Versions/Ranges", "Raw/Versions/Many", "Store/Log"},
		fault: reading(func(req *driver.VersionsRequest) { req.Limit = 0 }, nil)},
	{name: "the newest few, and then turned around", fails: "Raw/Versions/Ranges", only: []string{"Raw/Versions/Ranges", "Raw/Versions/Many", "Raw/Versions/Deleted", "Store/Log", "Store/LogUnderway"},
		fault: reading(func(req *driver.VersionsRequest) { req.Limit = 0 }, func(req driver.VersionsRequest, all []driver.Checkpoint) []driver.Checkpoint {
			switch limit := min(req.Limit, len(all)); {
			case limit == 0:
				return all
			case req.Newest:
				return all[:limit]
			default:
				return all[len(all)-limit:]
			}
		})},
	{name: "versions are in the order of their texts", fails: "Raw/Versions/Ranges",
		fault: reading(nil, func(req driver.VersionsRequest, all []driver.Checkpoint) []driver.Checkpoint {
			if i := slices.IndexFunc(all, func(c driver.Checkpoint) bool { return c.Version == 10 }); i > 0 && !req.Newest {
				return append(slices.Clone(all[i:]), all[:i]...)
			}
			return all
		})},
	{name: "every version has the latest metadata", fails: "Raw/Versions/AsLoaded", only: []string{"Raw/Versions/AsLoaded", "Raw/Versions/Deleted", "Store/LogUnderway"},
		fault: reading(nil, func(req driver.VersionsRequest, all []driver.Checkpoint) []driver.Checkpoint {
			for i := range all {
				all[i].Metadata = all[len(all)-1].Metadata
			}
			return all
		})},
	{name: "Versions lacks the encoding", fails: "Raw/Versions/AsLoaded", only: []string{"Raw/Versions/AsLoaded", "Raw/Versions/Deleted", "Store/LogUnderway"},
		fault: reading(nil, func(req driver.VersionsRequest, all []driver.Checkpoint) []driver.Checkpoint {
			for i := range all {
				all[i].Encoding = "json"
			}
			return all
		})},
	{name: "Versions leaves out empty payloads", fails: "Raw/Versions/AsLoaded", only: []string{"Raw/Versions/AsLoaded", "Raw/Versions/Deleted", "Store/LogUnderway"},
		fault: reading(nil, func(req driver.VersionsRequest, all []driver.Checkpoint) []driver.Checkpoint {
			return slices.DeleteFunc(all, func(c driver.Checkpoint) bool { return len(c.Payload) == 0 })
		})},
	{name: "Versions ends after a page", fails: "Raw/Versions/Many", only: []string{"Raw/Versions/Many", "Raw/Versions/LoopBody", "Raw/Versions/Trimmed", "Store/Log", "Store/LogUnderway", "Raw/Versions/WhileSaving"},
		fault: reading(nil, func(req driver.VersionsRequest, all []driver.Checkpoint) []driver.Checkpoint {
			return all[:min(len(all), driver.VersionsPage)]
		})},
	{name: "a page's last version is yielded again", fails: "Raw/Versions/Many", only: []string{"Raw/Versions/Many", "Raw/Versions/LoopBody", "Raw/Versions/Trimmed", "Raw/Versions/Deleted", "Store/LogUnderway", "Raw/Versions/WhileSaving"},
		fault: reading(nil, func(req driver.VersionsRequest, all []driver.Checkpoint) []driver.Checkpoint {
			if len(all) > driver.VersionsPage {
				all = slices.Insert(all, driver.VersionsPage, all[driver.VersionsPage-1])
			}
			return all
		})},
	{name: "a page of many bytes leaves the rest out", fails: "Raw/Versions/Large", only: []string{"Raw/Versions/Large", "Raw/Versions/Deleted", "Store/LogUnderway"},
		fault: reading(nil, func(req driver.VersionsRequest, all []driver.Checkpoint) []driver.Checkpoint {
			size := 0
			for i, c := range all {
				if size += len(c.Payload); size > driver.VersionsBytes {
					return all[:i]
				}
			}
			return all
		})},
	{name: "Versions of an absent thread is ErrNotFound", fails: "Raw/Versions/Absent", only: []string{"Raw/Closed/Iterators", "Raw/Versions/Absent", "Store/Log"},
		fault: each(func(f *faulty) {
			f.versions = func(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
				return func(yield func(driver.Checkpoint, error) bool) {
					if f.full.Ping(ctx) == nil && f.latest(ctx, req.Key, req.Now).Version == 0 {
						yield(driver.Checkpoint{}, driver.ErrNotFound)
						return
					}
					f.full.Versions(ctx, req)(yield)
				}
			}
		})},
	{name: "Versions of expired threads", fails: "Raw/Versions/Absent", only: []string{"Raw/Versions/Absent"},
		fault: reading(func(req *driver.VersionsRequest) { req.Now = time.Time{} }, nil)},
	{name: "a page's payloads share a buffer", fails: "Raw/Versions/Copied",
		fault: each(func(f *faulty) {
			f.versions = func(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
				return func(yield func(driver.Checkpoint, error) bool) {
					buffer := make([]byte, 0, 1<<20)
					for c, err := range f.full.Versions(ctx, req) {
						buffer = append(buffer[:0], c.Payload...)
						if c.Payload = buffer[:len(buffer):len(buffer)]; !yield(c, err) {
							return
						}
					}
				}
			}
		})},
	{name: "Versions returns the cache's own payloads", fails: "Raw/Versions/Copied", only: []string{"Raw/Versions/Copied"},
		fault: func() func(*faulty) {
			var cache sync.Map
			return func(f *faulty) {
				f.versions = func(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
					return changing(f.full.Versions(ctx, req), func(c *driver.Checkpoint) {
						own, _ := cache.LoadOrStore(c.ID, c.Payload)
						c.Payload = own.([]byte)
					})
				}
			}
		}},
	{name: "Versions holds a lock", fails: "Raw/Versions/LoopBody", hangs: true,
		fault: each(func(f *faulty) {
			var mu sync.RWMutex
			f.versions = func(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
				return locked(&mu, f.full.Versions(ctx, req))
			}
			savingLocked(f, &mu)
		})},
	{name: "Versions of a deleted thread goes on from memory", fails: "Raw/Versions/Deleted", only: []string{"Raw/Versions/Deleted", "Store/LogUnderway"},
		fault: each(func(f *faulty) {
			f.versions = func(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
				return func(yield func(driver.Checkpoint, error) bool) {
					var all []driver.Checkpoint
					for c, err := range f.full.Versions(ctx, req) {
						if err != nil {
							yield(c, err)
							return
						}
						all = append(all, c)
					}
					for _, c := range all {
						if !yield(c, nil) {
							return
						}
					}
				}
			}
		})},
	{name: "Versions reads infos and payloads at two moments", fails: "Raw/Versions/WhileSaving", only: []string{"Raw/Versions/WhileSaving"},
		fault: each(func(f *faulty) {
			f.versions = func(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
				return func(yield func(driver.Checkpoint, error) bool) {
					shift := f.latest(ctx, req.Key, req.Now).Version
					time.Sleep(200 * time.Microsecond)
					shift -= f.latest(ctx, req.Key, req.Now).Version
					var last []byte
					for c, err := range f.full.Versions(ctx, req) {
						if payload := c.Payload; shift != 0 && last != nil {
							c.Payload = last
						} else {
							last = payload
						}
						if !yield(c, err) {
							return
						}
					}
				}
			}
		})},

	{name: "DeletePrefix counts versions", fails: "Raw/DeletePrefix/Inside",
		fault: each(func(f *faulty) {
			f.prefix = func(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
				n, err := f.full.DeletePrefix(ctx, req)
				return 2 * n, err
			}
		})},
	{name: "DeletePrefix leaves older versions", fails: "Raw/DeletePrefix/Inside",
		fault: func() func(*faulty) {
			var gone sync.Map
			return func(f *faulty) {
				f.prefix = func(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
					for info := range f.full.List(ctx, driver.ListRequest{Namespace: req.Namespace, Prefix: req.Prefix, Now: req.Now}) {
						if c, err := f.full.Load(ctx, driver.LoadRequest{Key: info.Key, Version: 1, Now: req.Now}); err == nil {
							gone.Store(info.Key, c)
						}
					}
					return f.full.DeletePrefix(ctx, req)
				}
				f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					if c, ok := gone.Load(req.Key); ok && req.Version == 1 && ctx.Err() == nil {
						return c.(driver.Checkpoint), nil
					}
					return f.full.Load(ctx, req)
				}
			}
		}},
	{name: "DeletePrefix has no regard to case", fails: "Raw/DeletePrefix/Inside",
		fault: each(func(f *faulty) {
			f.prefix = func(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
				n, err := f.full.DeletePrefix(ctx, req)
				req.Prefix = strings.ToUpper(req.Prefix[:1]) + req.Prefix[1:]
				more, _ := f.full.DeletePrefix(ctx, req)
				return n + more, err
			}
		})},
	{name: "DeletePrefix by a pattern", fails: "Raw/DeletePrefix/IsNoPattern",
		fault: each(func(f *faulty) {
			f.prefix = func(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
				pattern := regexp.MustCompile("^" + strings.NewReplacer("%", ".*", "_", ".").Replace(regexp.QuoteMeta(req.Prefix)))
				n, err := f.full.DeletePrefix(ctx, req)
				for info := range f.full.List(ctx, driver.ListRequest{Namespace: req.Namespace, Now: req.Now}) {
					if pattern.MatchString(info.Thread) && f.full.Delete(ctx, driver.DeleteRequest{Key: info.Key, Now: req.Now}) == nil {
						n++
					}
				}
				return n, err
			}
		})},
	{name: "DeletePrefix counts expired threads", fails: "Raw/DeletePrefix/Expired",
		fault: each(func(f *faulty) {
			f.prefix = func(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
				req.Now = time.Time{}
				return f.full.DeletePrefix(ctx, req)
			}
		})},
	{name: "DeletePrefix leaves expired threads", fails: "Raw/DeletePrefix/Expired",
		fault: deletingListed(0)},
	{name: "DeletePrefix ends after a batch", fails: "Raw/DeletePrefix/Many",
		fault: deletingListed(500)},
	{name: "DeletePrefix takes the namespace for a prefix", fails: "Raw/DeletePrefix/Walls",
		fault: each(func(f *faulty) {
			f.prefix = func(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
				for ns := range f.full.Namespaces(ctx) {
					if other := req; strings.HasPrefix(ns, req.Namespace) && ns != req.Namespace {
						other.Namespace = ns
						f.full.DeletePrefix(ctx, other)
					}
				}
				return f.full.DeletePrefix(ctx, req)
			}
		})},
	{name: "DeletePrefix empties the threads it has listed in two steps", fails: "Raw/DeletePrefix/WhileSaving",
		fault: each(func(f *faulty) {
			f.prefix = func(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
				req.Prefix = strings.TrimSuffix(req.Prefix, "-") // the index is of words
				return f.full.DeletePrefix(ctx, req)
			}
		})},
	{name: "an interrupted DeletePrefix counts what is left", fails: "Raw/DeletePrefix/Interrupted",
		fault: each(func(f *faulty) {
			f.prefix = func(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
				all, _ := collect(f.full.List(context.WithoutCancel(ctx), driver.ListRequest{Namespace: req.Namespace, Prefix: req.Prefix, Now: req.Now}))
				n, err := f.full.DeletePrefix(ctx, req)
				if err != nil {
					n = int64(len(all))
				}
				return n, err
			}
		})},
}

// finding replaces Find, but for ended contexts and closed handles.
func finding(find func(*faulty, driver.FindRequest) (driver.Info, error)) fault {
	return each(func(f *faulty) {
		f.find = func(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
			if err := f.full.Ping(ctx); err != nil {
				return driver.Info{}, err
			}
			return find(f, req)
		}
	})
}

// reading changes the request of Versions, and what comes of it.
func reading(before func(*driver.VersionsRequest), after func(driver.VersionsRequest, []driver.Checkpoint) []driver.Checkpoint) fault {
	return each(func(f *faulty) {
		f.versions = func(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
			changed := req
			if before != nil {
				before(&changed)
			}
			if after == nil {
				return f.full.Versions(ctx, changed)
			}
			return func(yield func(driver.Checkpoint, error) bool) {
				var all []driver.Checkpoint
				for c, err := range f.full.Versions(ctx, changed) {
					if err != nil {
						yield(c, err)
						return
					}
					all = append(all, c)
				}
				for _, c := range after(req, all) {
					if !yield(c, nil) {
						return
					}
				}
			}
		}
	})
}

// deletingListed is DeletePrefix over List, of the first threads alone where most
// is not 0.
func deletingListed(most int) fault {
	return each(func(f *faulty) {
		f.prefix = func(ctx context.Context, req driver.DeletePrefixRequest) (n int64, err error) {
			if all, _ := collect(f.full.List(ctx, driver.ListRequest{Namespace: req.Namespace, Prefix: req.Prefix, Now: req.Now})); most > 0 && len(all) <= most {
				return f.full.DeletePrefix(ctx, req)
			}
			for info, err := range f.full.List(ctx, driver.ListRequest{Namespace: req.Namespace, Prefix: req.Prefix, Limit: most, Now: req.Now}) {
				if err != nil {
					return n, err
				}
				f.full.Delete(ctx, driver.DeleteRequest{Key: info.Key, Now: req.Now})
				n++
			}
			return n, nil
		}
	})
}

package checkpointtest_test

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
)

// brokenLong break with what is long, high, large or many.
var brokenLong = []brokenBackend{
	{name: "keys of versions begin with their lowest byte", fails: "Raw/Import/Numbers", only: []string{"Raw/History/Long", "Raw/History/WhileSaving", "Raw/Import/Numbers", "Raw/Import/Highest"}, fault: littleEndian},
	{name: "keys of versions begin with their lowest byte, without Import", fails: "Raw/History/Long", only: []string{"Raw/History/Long", "Raw/History/WhileSaving", "Raw/Import/Numbers", "Raw/Import/Highest"}, fault: littleEndian},
	{name: "versions have 32 bits", fails: "Raw/Import/Numbers", only: []string{"Raw/Import/AsGiven", "Raw/Import/Numbers", "Raw/Import/Highest"},
		fault: each(infos(func(i *driver.Info) { i.Version = int64(uint32(i.Version)) }))},
	{name: "History ends with a page of 256", fails: "Raw/History/Long", only: []string{"Raw/History/Long"}, fault: firstVersions(256)},
	{name: "History ends with a page of 1,000", fails: "Raw/History/Long", only: []string{"Raw/History/Long"}, fault: firstVersions(1_000)},
	{name: "KeepAll is 1,000", fails: "Raw/History/Long", only: []string{"Raw/History/Long"},
		fault: saving(func(req *driver.SaveRequest) { req.Keep = min(req.Keep, 1_000) })},
	{name: "KeepAll is 256", fails: "Raw/History/Long", only: []string{"Raw/History/Long"},
		fault: saving(func(req *driver.SaveRequest) { req.Keep = min(req.Keep, 256) })},
	{name: "a save drops 100 versions at most", fails: "Raw/History/Long",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if kept, _ := collect(f.full.History(ctx, driver.HistoryRequest{Key: req.Key, Now: req.Now})); len(kept)-req.Keep > 100 {
					req.Keep = len(kept) - 100
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "versions go on above the highest", fails: "Raw/Import/Highest", only: []string{"Raw/Import/Highest"},
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				info, err := f.full.Save(ctx, req)
				if errors.Is(err, driver.ErrInvalid) {
					return driver.Info{Key: req.Key, ID: req.ID, Version: driver.MaxVersion + 1}, nil
				}
				return info, err
			}
		})},
	{name: "a thread at the highest version begins anew", fails: "Raw/Import/Highest", only: []string{"Raw/Import/Highest"},
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				info, err := f.full.Save(ctx, req)
				if errors.Is(err, driver.ErrInvalid) {
					f.full.Delete(ctx, driver.DeleteRequest{Key: req.Key})
				}
				return info, err
			}
		})},
	{name: "a thread at the highest version is no error of the caller's", fails: "Raw/Import/Highest", only: []string{"Raw/Import/Highest"},
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				info, err := f.full.Save(ctx, req)
				if errors.Is(err, driver.ErrInvalid) {
					err = driver.ErrUnavailable
				}
				return info, err
			}
		})},
	{name: "List ends with a page of 256", fails: "Raw/List/Many", only: []string{"Raw/List/Many", "Raw/List/InFront"}, fault: firstThreads(256)},
	{name: "List ends with a page of 1,000", fails: "Raw/List/Many", only: []string{"Raw/List/Many"}, fault: firstThreads(1_000)},
	{name: "List counts to the next page", fails: "Raw/List/InFront", only: []string{"Raw/List/InFront"}, fault: each(byOffset(100))},
	{name: "Namespaces ends at 16", fails: "Raw/Namespaces/Many", only: []string{"Raw/Namespaces/EachOnce", "Raw/Namespaces/Many"}, fault: firstNamespaces(16)},
	{name: "Namespaces ends at 100", fails: "Raw/Namespaces/Many", only: []string{"Raw/Namespaces/EachOnce", "Raw/Namespaces/Many"}, fault: firstNamespaces(100)},
	{name: "a namespace and a thread are joined by a dot", fails: "Raw/Walls/Joined", only: []string{"Raw/Walls/Joined"}, fault: joined(".")},
	{name: "a namespace and a thread are joined by nothing", fails: "Raw/Walls/Joined", only: []string{"Raw/Walls/Joined"}, fault: joined("")},
	{name: "namespaces are cut at 64", fails: "Raw/Walls/Joined", only: []string{"Raw/Walls/Joined"}, fault: cutNamespaces(64)},
	{name: "namespaces are cut at 127", fails: "Raw/Walls/Joined", only: []string{"Raw/Walls/Joined"}, fault: cutNamespaces(127)},
	{name: "every version of a history has the latest metadata", fails: "Raw/History/Infos", only: []string{"Raw/History/Infos"},
		fault: histories(func(_ driver.HistoryRequest, all []driver.Info) []driver.Info {
			for i := range all {
				all[i].Metadata = all[0].Metadata
			}
			return all
		})},
	{name: "a version without metadata has that of the one before", fails: "Raw/History/Infos", only: []string{"Raw/History/Infos"},
		fault: histories(func(_ driver.HistoryRequest, all []driver.Info) []driver.Info {
			for i := range all[:max(0, len(all)-1)] {
				if all[i].Metadata == nil {
					all[i].Metadata = all[i+1].Metadata
				}
			}
			return all
		})},

	{name: "large payloads are pages that are used again", fails: "Raw/Payload/Owned",
		fault: func() func(*faulty) {
			page := make([]byte, 32<<20)
			var mu sync.Mutex
			return func(f *faulty) {
				f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					c, err := f.full.Load(ctx, req)
					if len(c.Payload) > 4096 {
						mu.Lock()
						defer mu.Unlock()
						c.Payload = page[:overwrite(page, c.Payload)]
					}
					return c, err
				}
			}
		}},
	{name: "long metadata is the cache's own", fails: "Raw/Payload/Owned", only: []string{"Raw/Payload/Owned"},
		fault: func() func(*faulty) {
			var cache sync.Map
			return each(infos(func(i *driver.Info) {
				if len(i.Metadata["long"]) > 1_000 {
					own, _ := cache.LoadOrStore(i.ID, i.Metadata)
					i.Metadata = own.(map[string]string)
				}
			}))()
		}},

	{name: "History yields in a read transaction", fails: "Raw/History/BodyGrows", hangs: true, fault: growing("History")},
	{name: "List yields in a read transaction", fails: "Raw/List/BodyGrows", hangs: true, fault: growing("List")},
	{name: "Versions yields in a read transaction", fails: "Raw/Versions/BodyGrows", hangs: true, fault: growing("Versions")},
}

// littleEndian orders versions by their bytes, the lowest first.
func littleEndian() func(*faulty) {
	return histories(func(_ driver.HistoryRequest, all []driver.Info) []driver.Info {
		slices.SortFunc(all, func(a, b driver.Info) int {
			return cmp.Compare(bits.ReverseBytes64(uint64(b.Version)), bits.ReverseBytes64(uint64(a.Version)))
		})
		return all
	})()
}

// firstVersions ends a History that has no limit after n.
func firstVersions(n int) fault {
	return histories(func(req driver.HistoryRequest, all []driver.Info) []driver.Info {
		if req.Limit == 0 {
			all = all[:min(len(all), n)]
		}
		return all
	})
}

// firstThreads ends a List after n.
func firstThreads(n int) fault {
	return listing(nil, func(_ driver.ListRequest, all []driver.Info) []driver.Info { return all[:min(len(all), n)] })
}

// firstNamespaces ends Namespaces after n.
func firstNamespaces(n int) fault {
	return each(func(f *faulty) {
		f.namespaces = func(ctx context.Context) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				i := 0
				for ns, err := range f.full.Namespaces(ctx) {
					if i++; i > n || !yield(ns, err) {
						return
					}
				}
			}
		}
	})
}

// byOffset is List in pages that begin behind the number of threads yielded so far.
func byOffset(page int) func(*faulty) {
	return func(f *faulty) {
		f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
			return func(yield func(driver.Info, error) bool) {
				for offset := 0; ; offset += page {
					all, err := collect(f.full.List(ctx, req))
					if err != nil {
						yield(driver.Info{}, err)
						return
					}
					for _, info := range all[min(offset, len(all)):min(offset+page, len(all))] {
						if !yield(info, nil) {
							return
						}
					}
					if offset+page >= len(all) {
						return
					}
				}
			}
		}
	}
}

// joined finds a thread by its namespace and name joined: two that make the same key are
// one thread, that of the first.
func joined(separator string) fault {
	return func() func(*faulty) {
		var first sync.Map // the thread that a key stood for first
		return func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				own := req.Key
				same, _ := first.LoadOrStore(own.Namespace+separator+own.Thread, own)
				req.Key = same.(driver.Key)
				info, err := f.full.Save(ctx, req)
				info.Key = own
				return info, err
			}
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				own := req.Key
				if same, ok := first.Load(own.Namespace + separator + own.Thread); ok {
					req.Key = same.(driver.Key)
				}
				c, err := f.full.Load(ctx, req)
				if err == nil {
					c.Key = own
				}
				return c, err
			}
		}
	}
}

// cutNamespaces saves in the first n bytes of a namespace.
func cutNamespaces(n int) fault {
	return saving(func(req *driver.SaveRequest) { req.Namespace = req.Namespace[:min(n, len(req.Namespace))] })
}

// growing is a database in a mapped file: where a save needs more room it waits until
// nobody reads, and the room doubles. The loops of these names read while they yield.
func growing(loops string) fault {
	return func() func(*faulty) {
		var reading sync.RWMutex
		var mu sync.Mutex
		size, room := 0, 64<<10
		return func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				mu.Lock()
				defer mu.Unlock()
				if size += len(req.Payload); size > room {
					reading.Lock()
					for room < size {
						room *= 2
					}
					reading.Unlock()
				}
				return f.full.Save(ctx, req)
			}
			if strings.Contains(loops, "History") {
				f.history = func(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
					return locked(&reading, f.full.History(ctx, req))
				}
			}
			if strings.Contains(loops, "List") {
				f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
					return locked(&reading, f.full.List(ctx, req))
				}
			}
			if strings.Contains(loops, "Versions") {
				f.versions = func(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
					return locked(&reading, f.full.Versions(ctx, req))
				}
			}
		}
	}
}

// TestGrowthInTheWholeRun shows that loops in read transactions are found in a run of
// all cases too, where others have made room.
func TestGrowthInTheWholeRun(t *testing.T) {
	t.Parallel()
	for _, loop := range []string{"History", "List", "Versions"} {
		t.Run(loop, func(t *testing.T) {
			t.Parallel()
			report := checkpointtest.Verify(t.Context(), growing(loop).opener(), checkpointtest.Timeout(watchdog),
				checkpointtest.Cases(func(name string) bool { return strings.HasPrefix(name, "Raw/") }))
			for _, r := range report.Results {
				if r.Case == "Raw/"+loop+"/BodyGrows" && !strings.Contains(r.Reason, "still running") {
					t.Errorf("%s: %s in the whole run, want it to hang: %s", r.Case, r.Outcome, r.Reason)
				}
			}
		})
	}
}

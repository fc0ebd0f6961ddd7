package checkpointtest_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// full is a backend with every optional interface but Patcher and Collector.
type full interface {
	driver.Backend
	driver.Purger
	driver.Importer
	driver.NamespaceLister
	driver.Rewriter
	driver.Finder
	driver.VersionReader
	driver.PrefixDeleter
}

// A faulty is a correct backend of which some methods were replaced. The
// replacement calls the correct one through the embedded interface.
type faulty struct {
	full
	save       func(context.Context, driver.SaveRequest) (driver.Info, error)
	load       func(context.Context, driver.LoadRequest) (driver.Checkpoint, error)
	remove     func(context.Context, driver.DeleteRequest) error
	list       func(context.Context, driver.ListRequest) iter.Seq2[driver.Info, error]
	history    func(context.Context, driver.HistoryRequest) iter.Seq2[driver.Info, error]
	close      func() error
	purge      func(context.Context, string, time.Time) (int64, error)
	collect    func(context.Context, driver.CollectRequest) (int64, error)
	importing  func(context.Context, driver.ImportRequest) error
	namespaces func(context.Context) iter.Seq2[string, error]
	rewrite    func(context.Context, driver.RewriteRequest) error
	find       func(context.Context, driver.FindRequest) (driver.Info, error)
	versions   func(context.Context, driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error]
	prefix     func(context.Context, driver.DeletePrefixRequest) (int64, error)
}

func (f *faulty) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	if f.save != nil {
		return f.save(ctx, req)
	}
	return f.full.Save(ctx, req)
}

func (f *faulty) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	if f.load != nil {
		return f.load(ctx, req)
	}
	return f.full.Load(ctx, req)
}

func (f *faulty) Delete(ctx context.Context, req driver.DeleteRequest) error {
	if f.remove != nil {
		return f.remove(ctx, req)
	}
	return f.full.Delete(ctx, req)
}

func (f *faulty) List(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	if f.list != nil {
		return f.list(ctx, req)
	}
	return f.full.List(ctx, req)
}

func (f *faulty) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	if f.history != nil {
		return f.history(ctx, req)
	}
	return f.full.History(ctx, req)
}

func (f *faulty) Close() error {
	if f.close != nil {
		return f.close()
	}
	return f.full.Close()
}

func (f *faulty) Purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	if f.purge != nil {
		return f.purge(ctx, namespace, now)
	}
	return f.full.Purge(ctx, namespace, now)
}

func (f *faulty) Collect(ctx context.Context, req driver.CollectRequest) (int64, error) {
	if f.collect != nil {
		return f.collect(ctx, req)
	}
	return f.full.(driver.Collector).Collect(ctx, req)
}

func (f *faulty) Import(ctx context.Context, req driver.ImportRequest) error {
	if f.importing != nil {
		return f.importing(ctx, req)
	}
	return f.full.Import(ctx, req)
}

func (f *faulty) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	if f.namespaces != nil {
		return f.namespaces(ctx)
	}
	return f.full.Namespaces(ctx)
}

func (f *faulty) Rewrite(ctx context.Context, req driver.RewriteRequest) error {
	if f.rewrite != nil {
		return f.rewrite(ctx, req)
	}
	return f.full.Rewrite(ctx, req)
}

func (f *faulty) Find(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
	if f.find != nil {
		return f.find(ctx, req)
	}
	return f.full.Find(ctx, req)
}

func (f *faulty) Versions(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	if f.versions != nil {
		return f.versions(ctx, req)
	}
	return f.full.Versions(ctx, req)
}

func (f *faulty) DeletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	if f.prefix != nil {
		return f.prefix(ctx, req)
	}
	return f.full.DeletePrefix(ctx, req)
}

// A fault is called once for a database and returns what breaks each handle on
// it.
type fault func() func(*faulty)

// each is a fault whose handles share nothing.
func each(breakHandle func(*faulty)) fault {
	return func() func(*faulty) { return breakHandle }
}

// opener returns a function that opens broken handles on one database.
func (broken fault) opener() func() (driver.Backend, error) {
	t := new(table)
	breakHandle := broken()
	return func() (driver.Backend, error) {
		f := &faulty{full: &reader{t: t}}
		breakHandle(f)
		return f, nil
	}
}

// saving changes the requests of Save, and may remember them.
func saving(change func(*driver.SaveRequest)) fault {
	return each(func(f *faulty) {
		f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
			change(&req)
			return f.full.Save(ctx, req)
		}
	})
}

// loading changes what Load returns.
func loading(change func(*driver.Checkpoint)) fault {
	return each(func(f *faulty) {
		f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
			c, err := f.full.Load(ctx, req)
			if err == nil {
				change(&c)
			}
			return c, err
		}
	})
}

// listing changes the request of List, and what comes of it.
func listing(before func(*driver.ListRequest), after func(req driver.ListRequest, infos []driver.Info) []driver.Info) fault {
	return each(func(f *faulty) {
		f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
			changed := req
			if before != nil {
				before(&changed)
			}
			if after == nil {
				return f.full.List(ctx, changed)
			}
			return lazily(func() ([]driver.Info, error) {
				infos, err := collect(f.full.List(ctx, changed))
				return after(req, infos), err
			})
		}
	})
}

// histories changes what History yields.
func histories(change func(req driver.HistoryRequest, infos []driver.Info) []driver.Info) fault {
	return each(func(f *faulty) {
		f.history = func(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
			return lazily(func() ([]driver.Info, error) {
				infos, err := collect(f.full.History(ctx, req))
				return change(req, infos), err
			})
		}
	})
}

// infos changes every Info that a backend returns, of a conflict too.
func infos(change func(*driver.Info)) func(*faulty) {
	return func(f *faulty) {
		f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
			info, err := f.full.Save(ctx, req)
			if err == nil {
				change(&info)
			}
			if c, ok := errors.AsType[*driver.ConflictError](err); ok && c.Current.Version > 0 {
				change(&c.Current)
			}
			return info, err
		}
		f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
			c, err := f.full.Load(ctx, req)
			if err == nil {
				change(&c.Info)
			}
			return c, err
		}
		f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
			return changing(f.full.List(ctx, req), change)
		}
		f.history = func(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
			return changing(f.full.History(ctx, req), change)
		}
	}
}

func changing[T any](items iter.Seq2[T, error], change func(*T)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for info, err := range items {
			if err == nil {
				change(&info)
			}
			if !yield(info, err) {
				return
			}
		}
	}
}

// latest returns the live thread's latest Info, the zero Info if there is none.
func (f *faulty) latest(ctx context.Context, key driver.Key, now time.Time) driver.Info {
	for info, err := range f.full.History(ctx, driver.HistoryRequest{Key: key, Limit: 1, Now: now}) {
		if err == nil {
			return info
		}
	}
	return driver.Info{}
}

// kept returns the version with that id, or the zero Info.
func (f *faulty) kept(ctx context.Context, key driver.Key, id string, now time.Time) driver.Info {
	for info, err := range f.full.History(ctx, driver.HistoryRequest{Key: key, Now: now}) {
		if err == nil && info.ID == id {
			return info
		}
	}
	return driver.Info{}
}

func collect(infos iter.Seq2[driver.Info, error]) ([]driver.Info, error) {
	var all []driver.Info
	for info, err := range infos {
		if err != nil {
			return nil, err
		}
		all = append(all, info)
	}
	return all, nil
}

// lazily yields what get returns when the loop begins.
func lazily(get func() ([]driver.Info, error)) iter.Seq2[driver.Info, error] {
	return func(yield func(driver.Info, error) bool) {
		infos, err := get()
		if err != nil {
			yield(driver.Info{}, err)
			return
		}
		for _, info := range infos {
			if !yield(info, nil) {
				return
			}
		}
	}
}

// conflicts changes the conflicts that Save returns.
func conflicts(change func(*driver.ConflictError, driver.SaveRequest)) fault {
	return each(func(f *faulty) {
		f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
			info, err := f.full.Save(ctx, req)
			if c, ok := errors.AsType[*driver.ConflictError](err); ok {
				change(c, req)
			}
			return info, err
		}
	})
}

// refusing makes Save refuse some requests.
func refusing(refuse func(driver.SaveRequest) bool) fault {
	return each(func(f *faulty) {
		f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
			if refuse(req) {
				return driver.Info{}, driver.ErrCorrupt
			}
			return f.full.Save(ctx, req)
		}
	})
}

// remembering is a Save that knows the ids of all times, and takes a request
// for a repetition where repeats says so.
func remembering(repeats func(f *faulty, first driver.Info, req driver.SaveRequest) bool) fault {
	return func() func(*faulty) {
		var saved sync.Map
		return func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				key := fmt.Sprint(req.Key, req.ID)
				if first, ok := saved.Load(key); ok && f.kept(ctx, req.Key, req.ID, req.Now).ID == "" && repeats(f, first.(driver.Info), req) {
					return first.(driver.Info), nil
				}
				info, err := f.full.Save(ctx, req)
				if err == nil {
					saved.Store(key, info)
				}
				return info, err
			}
		}
	}
}

// A threadSet is a set of threads, for faults that handles share.
type threadSet struct{ m sync.Map }

func (s *threadSet) add(key driver.Key) { s.m.Store(key, true) }
func (s *threadSet) has(key driver.Key) bool {
	_, ok := s.m.Load(key)
	return ok
}

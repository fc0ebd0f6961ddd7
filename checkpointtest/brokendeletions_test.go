package checkpointtest_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// Broken backends of conditions by version and existence, and of deletions.
var brokenDeletions = []brokenBackend{
	{name: "a condition of a version is not looked at", fails: "Raw/Conditions/Version",
		fault: saving(func(req *driver.SaveRequest) { req.Match.Version = 0 })},
	{name: "a condition of a version holds from that version on", fails: "Raw/Conditions/Version", only: []string{"Raw/Conditions/Current", "Raw/Conditions/Version", "Raw/Conditions/OneOfManyVersionsWins", "Raw/Deletions/OneOfManyWins", "Raw/Repeat/OnAnotherHandle", "Store/Versioned"},
		fault: matching(func(f *faulty, m driver.Match, current driver.Info) driver.Match {
			if m.Version != 0 && m.Version <= current.Version {
				m.Version = current.Version
			}
			return m
		})},
	{name: "versions are compared as texts", fails: "Raw/Conditions/Version", only: []string{"Raw/Conditions/Version"},
		fault: matching(func(f *faulty, m driver.Match, current driver.Info) driver.Match {
			if m.Version != 0 && strings.HasPrefix(strconv.FormatInt(m.Version, 10), strconv.FormatInt(current.Version, 10)) {
				m.Version = current.Version
			}
			return m
		})},
	{name: "a condition of a version creates a missing thread", fails: "Raw/Conditions/MissingThread", only: []string{"Raw/Expiry/Conditions", "Raw/Conditions/MissingThread", "Raw/Deletions/OneOfManyWins"},
		fault: matching(func(f *faulty, m driver.Match, current driver.Info) driver.Match {
			if m.Version != 0 && current.Version == 0 {
				return driver.Match{}
			}
			return m
		})},
	{name: "a condition of existence creates a missing thread", fails: "Raw/Conditions/Exists", only: []string{"Raw/Expiry/Conditions", "Raw/Conditions/MissingThread", "Raw/Conditions/Exists", "Store/Versioned"},
		fault: saving(func(req *driver.SaveRequest) { req.Match.Exists = false })},
	{name: "a condition of existence holds for a thread that was deleted", fails: "Raw/Conditions/Exists", only: []string{"Raw/Conditions/Exists"},
		fault: func() func(*faulty) {
			deleted := new(threadSet)
			return func(f *faulty) {
				f.remove = func(ctx context.Context, req driver.DeleteRequest) error {
					deleted.add(req.Key)
					return f.full.Delete(ctx, req)
				}
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					if deleted.has(req.Key) {
						req.Match.Exists = false
					}
					return f.full.Save(ctx, req)
				}
			}
		}},
	{name: "a condition of a version is checked before the write", fails: "Raw/Conditions/OneOfManyVersionsWins", only: []string{"Raw/Conditions/OneOfManyVersionsWins", "Raw/Deletions/OneOfManyWins"},
		fault: matching(func(f *faulty, m driver.Match, current driver.Info) driver.Match {
			if m.Version != 0 && m.Holds(current) {
				time.Sleep(2 * time.Millisecond)
				return driver.Match{}
			}
			return m
		})},
	{name: "a condition of existence holds for an expired thread", fails: "Raw/Expiry/Conditions", only: []string{"Raw/Expiry/Conditions"},
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if req.Match.Exists && f.latest(ctx, req.Key, time.Time{}).Version > 0 {
					req.Match = driver.Match{}
				}
				return f.full.Save(ctx, req)
			}
		})},

	{name: "a deletion forgets its condition", fails: "Raw/Deletions/Conflict", only: []string{"Raw/Deletions/Conflict", "Raw/Deletions/Missing", "Raw/Deletions/FormerLife", "Raw/Deletions/OneOfManyWins", "Store/Deletions"},
		fault: deleting(func(_ *faulty, req *driver.DeleteRequest) { req.Match = driver.Match{} })},
	{name: "a deletion's condition holds for any kept id", fails: "Raw/Deletions/Conflict", only: []string{"Raw/Deletions/Conflict", "Raw/Deletions/OneOfManyWins", "Store/Deletions"},
		fault: deleting(func(f *faulty, req *driver.DeleteRequest) {
			if f.kept(context.Background(), req.Key, req.Match.ID, req.Now).ID != "" {
				req.Match = driver.Match{}
			}
		})},
	{name: "a deletion's condition holds for any kept version", fails: "Raw/Deletions/Conflict", only: []string{"Raw/Deletions/Conflict", "Raw/Deletions/OneOfManyWins", "Store/Deletions"},
		fault: deleting(func(f *faulty, req *driver.DeleteRequest) {
			if _, err := f.full.Load(context.Background(), driver.LoadRequest{Key: req.Key, Version: req.Match.Version, Now: req.Now}); err == nil {
				req.Match.Version = 0
			}
		})},
	{name: "a deletion's conflict says nothing", fails: "Raw/Deletions/Conflict", only: []string{"Raw/Deletions/Conflict", "Raw/Deletions/FormerLife", "Store/Deletions"},
		fault: deletingWith(func(_ driver.DeleteRequest, err error) error {
			if c, ok := errors.AsType[*driver.ConflictError](err); ok {
				c.Current = driver.Info{}
			}
			return err
		})},
	{name: "a deletion whose condition does not hold is nil", fails: "Raw/Deletions/Conflict", only: []string{"Raw/Deletions/Conflict", "Raw/Deletions/Missing", "Raw/Deletions/FormerLife", "Raw/Deletions/OneOfManyWins", "Store/Deletions"},
		fault: deletingWith(func(_ driver.DeleteRequest, err error) error {
			if errors.Is(err, driver.ErrConflict) {
				return nil
			}
			return err
		})},
	{name: "a deletion on condition of existence is always a conflict", fails: "Raw/Deletions/Hold", only: []string{"Raw/Deletions/Hold", "Store/Deletions", "Store/DeletePrefix"},
		fault: deleting(func(_ *faulty, req *driver.DeleteRequest) {
			if req.Match.Exists {
				req.Match = driver.Match{ID: "never-there"}
			}
		})},
	{name: "a conditional deletion of a missing thread is nil", fails: "Raw/Deletions/Missing", only: []string{"Raw/Deletions/Missing", "Raw/Deletions/OneOfManyWins", "Store/Deletions"},
		fault: deletingWith(func(_ driver.DeleteRequest, err error) error {
			if c, ok := errors.AsType[*driver.ConflictError](err); ok && c.Current.Version == 0 {
				return nil
			}
			return err
		})},
	{name: "a conditional deletion of a missing thread is ErrNotFound", fails: "Raw/Deletions/Missing", only: []string{"Raw/Deletions/Missing", "Raw/Deletions/OneOfManyWins", "Store/Deletions"},
		fault: deletingWith(func(_ driver.DeleteRequest, err error) error {
			if c, ok := errors.AsType[*driver.ConflictError](err); ok && c.Current.Version == 0 {
				return driver.ErrNotFound
			}
			return err
		})},
	{name: "a deletion's condition holds for an expired thread", fails: "Raw/Deletions/Missing", only: []string{"Raw/Deletions/Missing"},
		fault: deleting(func(_ *faulty, req *driver.DeleteRequest) { req.Now = time.Time{} })},
	{name: "a deletion's condition holds for ids of a former life", fails: "Raw/Deletions/FormerLife", only: []string{"Raw/Deletions/Conflict", "Raw/Deletions/Missing", "Raw/Deletions/FormerLife", "Raw/Deletions/OneOfManyWins"},
		fault: func() func(*faulty) {
			var mu sync.Mutex
			ids, former := make(map[driver.Key][]string), make(map[string]driver.Key)
			return func(f *faulty) {
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					mu.Lock()
					ids[req.Key] = append(ids[req.Key], req.ID)
					mu.Unlock()
					return f.full.Save(ctx, req)
				}
				f.remove = func(ctx context.Context, req driver.DeleteRequest) error {
					mu.Lock()
					defer mu.Unlock()
					if former[req.Match.ID] == req.Key && f.latest(ctx, req.Key, req.Now).Version > 0 {
						req.Match = driver.Match{}
					}
					err := f.full.Delete(ctx, req)
					if err == nil {
						for _, id := range ids[req.Key] {
							former[id] = req.Key
						}
						delete(ids, req.Key)
					}
					return err
				}
			}
		}},
	{name: "a deletion's condition is checked before it", fails: "Raw/Deletions/OneOfManyWins", only: []string{"Raw/Deletions/OneOfManyWins"},
		fault: deleting(func(f *faulty, req *driver.DeleteRequest) {
			if req.Match != (driver.Match{}) && req.Match.Holds(f.latest(context.Background(), req.Key, req.Now)) {
				time.Sleep(2 * time.Millisecond)
				req.Match = driver.Match{}
			}
		})},
}

// matching changes the conditions of saves.
func matching(change func(f *faulty, m driver.Match, current driver.Info) driver.Match) fault {
	return each(func(f *faulty) {
		f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
			req.Match = change(f, req.Match, f.latest(ctx, req.Key, req.Now))
			return f.full.Save(ctx, req)
		}
	})
}

// deleting changes the requests of Delete.
func deleting(change func(*faulty, *driver.DeleteRequest)) fault {
	return each(func(f *faulty) {
		f.remove = func(ctx context.Context, req driver.DeleteRequest) error {
			change(f, &req)
			return f.full.Delete(ctx, req)
		}
	})
}

// deletingWith changes the errors of Delete.
func deletingWith(change func(driver.DeleteRequest, error) error) fault {
	return each(func(f *faulty) {
		f.remove = func(ctx context.Context, req driver.DeleteRequest) error {
			return change(req, f.full.Delete(ctx, req))
		}
	})
}

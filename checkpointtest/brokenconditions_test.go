package checkpointtest_test

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

var brokenConditions = []brokenBackend{
	{name: "condition checked before the write", fails: "Raw/Conditions/OneOfManyWins",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				current := f.latest(ctx, req.Key, req.Now)
				repeated := f.kept(ctx, req.Key, req.ID, req.Now).ID != ""
				holds := req.Match.Absent && current.ID == "" || req.Match.ID != "" && current.ID == req.Match.ID
				if holds && !repeated {
					time.Sleep(2 * time.Millisecond)
					req.Match = driver.Match{}
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "condition holds for any kept id", fails: "Raw/Conditions/OtherID",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if req.Match.ID != "" && f.kept(ctx, req.Key, req.Match.ID, req.Now).ID != "" {
					req.Match.ID = f.latest(ctx, req.Key, req.Now).ID
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "condition of an id creates a missing thread", fails: "Raw/Conditions/MissingThread",
		fault: func() func(*faulty) {
			seen := new(threadSet)
			return func(f *faulty) {
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					if req.Match.ID != "" && !seen.has(req.Key) { // no row, so the arm that inserts is taken
						req.Match = driver.Match{}
					}
					seen.add(req.Key)
					return f.full.Save(ctx, req)
				}
			}
		}},
	{name: "condition of absence fails over an expired thread", fails: "Raw/Expiry/Conditions",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if req.Match.Absent && f.latest(ctx, req.Key, time.Time{}).ID != "" && f.kept(ctx, req.Key, req.ID, req.Now).ID == "" {
					return driver.Info{}, &driver.ConflictError{Current: f.latest(ctx, req.Key, req.Now)}
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "conflict names the id that was asked for", fails: "Raw/Conditions/Current",
		fault: conflicts(func(c *driver.ConflictError, req driver.SaveRequest) {
			if c.Current.ID != "" {
				c.Current.ID = req.Match.ID
			}
		})},
	{name: "conflict is not a ConflictError with an Info", fails: "Raw/Conditions/Current",
		fault: conflicts(func(c *driver.ConflictError, req driver.SaveRequest) { c.Current = driver.Info{} })},
	{name: "former ids match", fails: "Raw/Conditions/FormerLife",
		fault: func() func(*faulty) {
			var mu sync.Mutex
			deleted := make(map[string]driver.Key)
			return func(f *faulty) {
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					mu.Lock()
					former := req.Match.ID != "" && deleted[req.Match.ID] == req.Key
					mu.Unlock()
					if former {
						req.Match.ID = f.latest(ctx, req.Key, req.Now).ID
					}
					return f.full.Save(ctx, req)
				}
				f.remove = func(ctx context.Context, req driver.DeleteRequest) error {
					mu.Lock()
					deleted[f.latest(ctx, req.Key, time.Time{}).ID] = req.Key
					mu.Unlock()
					return f.full.Delete(ctx, req)
				}
			}
		}},
	{name: "ids of an expired life match", fails: "Raw/Expiry/FormerIDs",
		fault: func() func(*faulty) {
			var mu sync.Mutex
			ids := make(map[string]driver.Key)
			return func(f *faulty) {
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					mu.Lock()
					former := req.Match.ID != "" && ids[req.Match.ID] == req.Key
					mu.Unlock()
					if current := f.latest(ctx, req.Key, req.Now); former && current.ID != "" {
						req.Match.ID = current.ID
					}
					if !req.ExpiresAt.IsZero() {
						mu.Lock()
						ids[req.ID] = req.Key
						mu.Unlock()
					}
					return f.full.Save(ctx, req)
				}
			}
		}},
	{name: "repeated save applied twice", fails: "Raw/Repeat/Latest",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if req.Match == (driver.Match{}) && f.latest(ctx, req.Key, req.Now).ID == req.ID {
					req.ID += "'"
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "only the last two ids are known", fails: "Raw/Repeat/OlderKept",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				old := f.kept(ctx, req.Key, req.ID, req.Now)
				if old.ID != "" && old.Version < f.latest(ctx, req.Key, req.Now).Version-1 {
					req.ID += "'"
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "repeated save is a conflict", fails: "Raw/Repeat/WithCondition",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if req.Match != (driver.Match{}) && f.kept(ctx, req.Key, req.ID, req.Now).ID != "" {
					return driver.Info{}, &driver.ConflictError{Current: f.latest(ctx, req.Key, req.Now)}
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "dropped ids still count as repeated", fails: "Raw/Repeat/AfterTrimming",
		fault: remembering(func(f *faulty, first driver.Info, req driver.SaveRequest) bool {
			return f.latest(context.Background(), req.Key, req.Now).Version > first.Version
		})},
	{name: "ids outlive deletion", fails: "Raw/Repeat/AfterDeletion",
		fault: remembering(func(f *faulty, first driver.Info, req driver.SaveRequest) bool {
			return f.latest(context.Background(), req.Key, time.Time{}).ID == ""
		})},
	{name: "ids outlive expiry", fails: "Raw/Repeat/AfterExpiry",
		fault: remembering(func(f *faulty, first driver.Info, req driver.SaveRequest) bool {
			return first.Expired(req.Now)
		})},
	{name: "ids belong to the namespace, not the thread", fails: "Raw/Repeat/OtherThread",
		fault: func() func(*faulty) {
			var mu sync.Mutex
			saved := make(map[string]driver.Info)
			return func(f *faulty) {
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					mu.Lock()
					first, ok := saved[req.Namespace+" "+req.ID]
					mu.Unlock()
					if ok && first.Thread != req.Thread {
						return first, nil
					}
					info, err := f.full.Save(ctx, req)
					if err == nil {
						mu.Lock()
						saved[req.Namespace+" "+req.ID] = info
						mu.Unlock()
					}
					return info, err
				}
			}
		}},
	{name: "condition of absence fails after Delete", fails: "Raw/Conditions/Absent",
		fault: func() func(*faulty) {
			deleted := new(threadSet)
			return func(f *faulty) {
				f.remove = func(ctx context.Context, req driver.DeleteRequest) error {
					deleted.add(req.Key)
					return f.full.Delete(ctx, req)
				}
				f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					if req.Match.Absent && deleted.has(req.Key) {
						return driver.Info{}, &driver.ConflictError{}
					}
					return f.full.Save(ctx, req)
				}
			}
		}},
	{name: "condition is compared with the oldest kept version", fails: "Raw/Conditions/LatestID",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				current := f.latest(ctx, req.Key, req.Now)
				if kept, _ := collect(f.full.History(ctx, driver.HistoryRequest{Key: req.Key, Now: req.Now})); len(kept) == 2 && current.Version == 2 && req.Match.ID == current.ID && req.Keep == 2 {
					return driver.Info{}, &driver.ConflictError{Current: current}
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "a repeated save is a conflict of its version", fails: "Raw/Repeat/WithCondition",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if current := f.latest(ctx, req.Key, req.Now); req.Match.Version != 0 && !req.Match.Holds(current) {
					return driver.Info{Key: req.Key, ID: req.ID}, &driver.ConflictError{Current: current}
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "ids are cut to 32 characters", fails: "Raw/Repeat/SimilarIDs", only: []string{"Raw/Repeat/SimilarIDs"},
		fault: saving(func(req *driver.SaveRequest) {
			req.ID, req.Match.ID = req.ID[:min(32, len(req.ID))], req.Match.ID[:min(32, len(req.Match.ID))]
		})},
	{name: "ids are compared without case", fails: "Raw/Repeat/SimilarIDs", only: []string{"Raw/Repeat/SimilarIDs"},
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				for info := range f.full.History(ctx, driver.HistoryRequest{Key: req.Key, Now: req.Now}) {
					if strings.EqualFold(info.ID, req.ID) {
						return info, nil
					}
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "ids lose the blanks around them", fails: "Raw/Repeat/SimilarIDs", only: []string{"Raw/Repeat/SimilarIDs"},
		fault: saving(func(req *driver.SaveRequest) {
			req.ID, req.Match.ID = strings.TrimSpace(req.ID), strings.TrimSpace(req.Match.ID)
		})},
}

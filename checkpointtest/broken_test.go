package checkpointtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
)

// TestBrokenBackends shows what the suite finds: each of these backends breaks
// one rule in a way that has happened to somebody, and must fail exactly the
// case that is about it, and of those that go through checkpoint.New exactly
// the ones named.
func TestBrokenBackends(t *testing.T) {
	t.Parallel()
	verify := func(t *testing.T, broken brokenBackend, limit time.Duration) checkpointtest.Report {
		fault := broken.fault
		if fault == nil {
			fault = broken.withTest(t)
		}
		return checkpointtest.Verify(t.Context(), fault.opener(), checkpointtest.Timeout(limit), checkpointtest.Cases(func(name string) bool {
			return !slices.Contains(heavy, name) || slices.Contains(heavy, broken.fails)
		}))
	}
	all := slices.Concat(brokenSaves, brokenReads, brokenOptional)
	slices.SortStableFunc(all, func(a, b brokenBackend) int { // waited for last
		return strings.Compare(fmt.Sprint(a.hangs), fmt.Sprint(b.hangs))
	})
	hung := make([]chan checkpointtest.Report, len(all))
	for i, broken := range all {
		if broken.hangs { // all at once, since they do nothing but wait
			hung[i] = make(chan checkpointtest.Report, 1)
			go func() { hung[i] <- verify(t, broken, watchdog) }()
		}
	}
	for i, broken := range all {
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel()
			var report checkpointtest.Report
			if broken.hangs {
				report = <-hung[i]
			} else {
				report = verify(t, broken, 5*time.Minute)
			}
			var got []string
			reasons := ""
			for _, r := range report.Results {
				if r.Outcome == checkpointtest.Failed {
					got = append(got, r.Case)
					reasons += fmt.Sprintf("\n%s: %.1500s", r.Case, r.Reason)
				}
			}
			want := append([]string{broken.fails}, broken.store...)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("failed cases: %q, want %q%s", got, want, reasons)
			}
		})
	}
}

// heavy are cases about very large states, which only backends that are broken
// in that way need to go through.
var heavy = []string{"Raw/Payload/16MB", "Store/Large"}

// watchdog ends the backends that hang; the other cases take far less.
const watchdog = 15 * time.Second

type brokenBackend struct {
	name     string
	fails    string   // the case that must fail
	store    []string // and those under Store
	hangs    bool
	fault    fault
	withTest func(*testing.T) fault // where the fault needs the test
}

var brokenSaves = []brokenBackend{
	{name: "condition checked before the write", fails: "Raw/Conditions/OneOfManyWins", store: []string{"Store/Update"},
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				current := f.latest(ctx, req.Key, req.Now)
				repeated := f.kept(ctx, req.Key, req.ID, req.Now).ID != ""
				holds := req.Match.Absent && current.ID == "" || req.Match.ID != "" && current.ID == req.Match.ID
				if holds && !repeated {
					time.Sleep(200 * time.Microsecond)
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
	{name: "condition of an id creates a missing thread", fails: "Raw/Conditions/MissingThread", store: []string{"Store/Conditions"},
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
	{name: "condition of absence fails over an expired thread", fails: "Raw/Expiry/Conditions", store: []string{"Store/Expiry"},
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if req.Match.Absent && f.latest(ctx, req.Key, time.Time{}).ID != "" && f.kept(ctx, req.Key, req.ID, req.Now).ID == "" {
					return driver.Info{}, &driver.ConflictError{Current: f.latest(ctx, req.Key, req.Now)}
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "conflict names the id that was asked for", fails: "Raw/Conditions/Current", store: []string{"Store/Conditions"},
		fault: conflicts(func(c *driver.ConflictError, req driver.SaveRequest) {
			if c.Current.ID != "" {
				c.Current.ID = req.Match.ID
			}
		})},
	{name: "conflict is not a ConflictError with an Info", fails: "Raw/Conditions/Current", store: []string{"Store/Conditions"},
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
				f.remove = func(ctx context.Context, key driver.Key) error {
					mu.Lock()
					deleted[f.latest(ctx, key, time.Time{}).ID] = key
					mu.Unlock()
					return f.full.Delete(ctx, key)
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
	{name: "CreatedAt is reset by each save", fails: "Raw/Save/CreatedAt", store: []string{"Store/Copy"},
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
	{name: "all is a hundred", fails: "Raw/History/KeepAll",
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
	{name: "the request's payload is kept", fails: "Raw/Save/RequestIsCopied",
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
	{name: "the returned payload is shared", fails: "Raw/Save/ResultIsCopied",
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
				f.remove = func(ctx context.Context, key driver.Key) error {
					if old := f.latest(ctx, key, time.Time{}); old.ID != "" {
						deleting.Store(key, old.Version)
						defer deleting.Delete(key)
					}
					err := f.full.Delete(ctx, key)
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
	{name: "white space around bytes is trimmed", fails: "Raw/Payload/Bytes",
		fault: saving(func(req *driver.SaveRequest) {
			if req.Encoding != "json" && utf8.Valid(req.Payload) && len(req.Payload) < 100 {
				req.Payload = []byte(strings.TrimSpace(string(req.Payload)))
			}
		})},
	{name: "encodings are in lower case", fails: "Raw/Payload/Encodings",
		fault: saving(func(req *driver.SaveRequest) { req.Encoding = strings.ToLower(req.Encoding) })},
	{name: "an empty payload is absence", fails: "Raw/Payload/Empty", store: []string{"Store/Blobs"},
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				info, err := f.full.Save(ctx, req)
				if err == nil && len(req.Payload) == 0 {
					f.full.Delete(ctx, req.Key)
				}
				return info, err
			}
		})},
	{name: "the limit is 16 MiB to the byte", fails: "Raw/Payload/16MB",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if len(req.Payload) > 16<<20 {
					return driver.Info{}, driver.ErrTooLarge
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "chunks of a larger payload are left over", fails: "Raw/Payload/ChangingSize",
		fault: each(func(f *faulty) {
			f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
				if f.latest(ctx, req.Key, req.Now).Size > 500_000 && len(req.Payload) < 100 {
					req.Payload = append(slices.Clone(req.Payload), "and more"...)
				}
				return f.full.Save(ctx, req)
			}
		})},
	{name: "JSON numbers are float64", fails: "Raw/JSON/Numbers", store: []string{"Store/JSON"},
		fault: saving(func(req *driver.SaveRequest) {
			if req.Encoding == "json" && len(req.Payload) < 100_000 {
				req.Payload = regexp.MustCompile(`\d{17,}`).ReplaceAllFunc(req.Payload, func(digits []byte) []byte {
					var n float64
					json.Unmarshal(digits, &n)
					return fmt.Appendf(nil, "%.0f", n)
				})
				req.Payload = []byte(strings.ReplaceAll(string(req.Payload), "9007199254740993", "9007199254740992"))
			}
		})},
	{name: "lone surrogates are replaced", fails: "Raw/JSON/Strings", store: []string{"Store/JSON"},
		fault: saving(func(req *driver.SaveRequest) {
			if req.Encoding == "json" && len(req.Payload) < 1_000_000 {
				req.Payload = []byte(strings.ReplaceAll(string(req.Payload), `"\ud800"`, `"\ufffd"`))
			}
		})},
	{name: "empty arrays become objects", fails: "Raw/JSON/Shapes", store: []string{"Store/JSON"},
		fault: saving(func(req *driver.SaveRequest) {
			if req.Encoding == "json" && len(req.Payload) < 1000 && string(req.Payload) != "[[]]" {
				req.Payload = []byte(strings.ReplaceAll(string(req.Payload), `[]`, `{}`))
			}
		})},
	{name: "JSON nests to 500 levels", fails: "Raw/JSON/Nesting", store: []string{"Store/JSON"},
		fault: refusing(func(req driver.SaveRequest) bool {
			return req.Encoding == "json" && (strings.Count(string(req.Payload), "[") > 490 || strings.Count(string(req.Payload), "{") > 490) && len(req.Payload) < 10_000
		})},
	{name: "duplicate keys are refused", fails: "Raw/JSON/DuplicateKeys",
		fault: refusing(func(req driver.SaveRequest) bool {
			return req.Encoding == "json" && strings.Count(string(req.Payload), `"a":`) == 2 && strings.Contains(string(req.Payload), "true")
		})},
	{name: "metadata is dropped", fails: "Raw/Metadata/Values", store: []string{"Store/Fork", "Store/Restore"},
		fault: saving(func(req *driver.SaveRequest) { req.Metadata = nil })},
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

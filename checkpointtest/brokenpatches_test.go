package checkpointtest_test

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// A patcher is a correct backend that keeps patches, of which some methods were
// replaced.
type patcher struct {
	full
	driver.Patcher
	savePatch func(context.Context, driver.PatchRequest) (driver.Info, error)
	save      func(context.Context, driver.SaveRequest) (driver.Info, error)
	load      func(context.Context, driver.LoadRequest) (driver.Checkpoint, error)
	history   func(context.Context, driver.HistoryRequest) iter.Seq2[driver.Info, error]
	rewrite   func(context.Context, driver.RewriteRequest) error
	remove    func(context.Context, driver.DeleteRequest) error
}

func (p *patcher) SavePatch(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
	if p.savePatch != nil {
		return p.savePatch(ctx, req)
	}
	return p.Patcher.SavePatch(ctx, req)
}

func (p *patcher) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	if p.save != nil {
		return p.save(ctx, req)
	}
	return p.full.Save(ctx, req)
}

func (p *patcher) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	if p.load != nil {
		return p.load(ctx, req)
	}
	return p.full.Load(ctx, req)
}

func (p *patcher) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	if p.history != nil {
		return p.history(ctx, req)
	}
	return p.full.History(ctx, req)
}

func (p *patcher) Rewrite(ctx context.Context, req driver.RewriteRequest) error {
	if p.rewrite != nil {
		return p.rewrite(ctx, req)
	}
	return p.full.Rewrite(ctx, req)
}

func (p *patcher) Delete(ctx context.Context, req driver.DeleteRequest) error {
	if p.remove != nil {
		return p.remove(ctx, req)
	}
	return p.full.Delete(ctx, req)
}

// present returns the latest checkpoint.
func (p *patcher) present(ctx context.Context, req driver.PatchRequest) driver.Checkpoint {
	cp, _ := p.full.Load(ctx, driver.LoadRequest{Key: req.Key, Now: req.Now})
	return cp
}

// patchesThat changes the requests of SavePatch.
func patchesThat(change func(context.Context, *patcher, *driver.PatchRequest)) func() func(*patcher) {
	return func() func(*patcher) {
		return func(p *patcher) {
			p.savePatch = func(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
				change(ctx, p, &req)
				return p.Patcher.SavePatch(ctx, req)
			}
		}
	}
}

// loadsThat changes what Load returns.
func loadsThat(change func(*driver.Checkpoint)) func() func(*patcher) {
	return func() func(*patcher) {
		return func(p *patcher) {
			p.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				cp, err := p.full.Load(ctx, req)
				if err == nil {
					change(&cp)
				}
				return cp, err
			}
		}
	}
}

// brokenPatchers break one rule of driver.Patcher each.
var brokenPatchers = []struct {
	name  string
	fails string
	fault func() func(*patcher)
}{
	{"links come newest first", "Raw/Patches/Links",
		loadsThat(func(cp *driver.Checkpoint) { slices.Reverse(cp.Links) })},
	{"the links begin after the whole state", "Raw/Patches/Links",
		loadsThat(func(cp *driver.Checkpoint) { cp.Links = cp.Links[min(1, len(cp.Links)):] })},
	{"a whole state is respelled", "Raw/Patches/Links",
		loadsThat(func(cp *driver.Checkpoint) {
			if cp.Encoding == "json" {
				cp.Payload = []byte(`{"n":1,"spelled":"another way"}`)
			}
		})},
	{"an id alone is known", "Raw/Patches/Known",
		func() func(*patcher) {
			return func(p *patcher) {
				p.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					cp, err := p.full.Load(ctx, req)
					if err == nil && req.Version == 0 && cp.Digest != "" && cp.ID == req.Known.ID {
						cp.Known, cp.Payload, cp.Links = true, nil, nil
					}
					return cp, err
				}
			}
		}},
	{"every load brings the whole history", "Raw/Patches/Links",
		func() func(*patcher) {
			return func(p *patcher) {
				p.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					cp, err := p.full.Load(ctx, req)
					if latest, _ := p.full.Load(ctx, driver.LoadRequest{Key: req.Key, Now: req.Now}); cp.Base == 0 && err == nil {
						cp.Links = latest.Links
					}
					return cp, err
				}
			}
		}},
	{"the id alone proves the base", "Raw/Patches/WrongBase",
		patchesThat(func(ctx context.Context, p *patcher, req *driver.PatchRequest) {
			if cp := p.present(ctx, *req); cp.ID == req.Previous.ID && cp.Digest != "" {
				req.Previous.Digest = cp.Digest
			}
		})},
	{"the digest alone proves the base", "Raw/Patches/WrongBase",
		patchesThat(func(ctx context.Context, p *patcher, req *driver.PatchRequest) {
			if cp := p.present(ctx, *req); cp.Digest == req.Previous.Digest {
				req.Previous.ID = cp.ID
			}
		})},
	{"a patch of an absent thread begins it", "Raw/Patches/WrongBase",
		func() func(*patcher) {
			return func(p *patcher) {
				p.savePatch = func(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
					info, err := p.Patcher.SavePatch(ctx, req)
					if errors.Is(err, driver.ErrBase) && p.present(ctx, req).Version == 0 {
						return p.full.Save(ctx, req.SaveRequest)
					}
					return info, err
				}
			}
		}},
	{"the base is taken from the present life", "Raw/Patches/AnotherLife",
		patchesThat(func(ctx context.Context, p *patcher, req *driver.PatchRequest) {
			if cp := p.present(ctx, *req); cp.Version > 0 {
				req.Base = cmp.Or(cp.Base, cp.Version)
			}
		})},
	{"a missing digest matches every one", "Raw/Patches/WithoutDigest",
		patchesThat(func(ctx context.Context, p *patcher, req *driver.PatchRequest) {
			if cp := p.present(ctx, *req); cp.Digest == "" {
				req.Previous.Digest = ""
			}
		})},
	{"a patch that lost is tried again", "Raw/Patches/OneOfManyWins",
		func() func(*patcher) {
			return func(p *patcher) {
				p.savePatch = func(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
					info, err := p.Patcher.SavePatch(ctx, req)
					if errors.Is(err, driver.ErrBase) {
						cp := p.present(ctx, req)
						req.Previous = driver.Previous{ID: cp.ID, Digest: cp.Digest}
						return p.Patcher.SavePatch(ctx, req)
					}
					return info, err
				}
			}
		}},
	{"the base comes before the id", "Raw/Patches/Repeated",
		func() func(*patcher) {
			return func(p *patcher) {
				p.savePatch = func(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
					if cp := p.present(ctx, req); cp.ID != req.Previous.ID {
						return driver.Info{}, driver.ErrBase
					}
					return p.Patcher.SavePatch(ctx, req)
				}
			}
		}},
	{"the base comes before the condition", "Raw/Patches/Conditions",
		func() func(*patcher) {
			return func(p *patcher) {
				p.savePatch = func(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
					if cp := p.present(ctx, req); cp.ID != req.Previous.ID || cp.Digest != req.Previous.Digest {
						return driver.Info{}, driver.ErrBase
					}
					return p.Patcher.SavePatch(ctx, req)
				}
			}
		}},
	{"patches have no conditions", "Raw/Patches/Conditions",
		patchesThat(func(_ context.Context, _ *patcher, req *driver.PatchRequest) { req.Match = driver.Match{} })},
	{"Keep counts from the version before", "Raw/Patches/Trimming",
		patchesThat(func(_ context.Context, _ *patcher, req *driver.PatchRequest) { req.Keep = max(1, req.Keep-1) })},
	{"what Keep does not count is dropped", "Raw/Patches/Trimming",
		func() func(*patcher) {
			return func(p *patcher) {
				p.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					cp, err := p.full.Load(ctx, req)
					if err != nil {
						return cp, err
					}
					oldest := cp.Version
					for info := range p.full.History(ctx, driver.HistoryRequest{Key: req.Key, Now: req.Now}) {
						oldest = info.Version
					}
					cp.Links = slices.DeleteFunc(cp.Links, func(l driver.Link) bool { return l.Version < oldest })
					return cp, nil
				}
			}
		}},
	{"visible is what the last Keep reaches", "Raw/Patches/StayInvisible",
		func() func(*patcher) {
			var keeps sync.Map // the Keep of the last save
			return func(p *patcher) {
				p.savePatch = func(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
					keeps.Store(req.Key, req.Keep)
					req.Keep = driver.KeepAll
					return p.Patcher.SavePatch(ctx, req)
				}
				p.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
					keeps.Store(req.Key, req.Keep)
					req.Keep = driver.KeepAll
					return p.full.Save(ctx, req)
				}
				p.history = func(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
					keep, _ := keeps.Load(req.Key)
					req.Limit = keep.(int)
					return p.full.History(ctx, req)
				}
			}
		}},
	{"an expired thread takes a patch", "Raw/Patches/NextLife",
		patchesThat(func(_ context.Context, _ *patcher, req *driver.PatchRequest) { req.Now = req.Now.AddDate(-1, 0, 0) })},
	{"Delete removes the visible versions alone", "Raw/Patches/NextLife",
		func() func(*patcher) {
			var deleted sync.Map
			return func(p *patcher) {
				p.remove = func(ctx context.Context, req driver.DeleteRequest) error {
					cp, _ := p.full.Load(ctx, driver.LoadRequest{Key: req.Key, Now: req.Now})
					deleted.Store(req.Key, cp.Links)
					return p.full.Delete(ctx, req)
				}
				p.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					cp, err := p.full.Load(ctx, req)
					if links, ok := deleted.Load(req.Key); ok && err == nil {
						cp.Links = append(links.([]driver.Link), cp.Links...)
					}
					return cp, err
				}
			}
		}},
	{"Rewrite finds visible versions alone", "Raw/Patches/Rewrite",
		func() func(*patcher) {
			return func(p *patcher) {
				p.rewrite = func(ctx context.Context, req driver.RewriteRequest) error {
					if _, err := p.full.Load(ctx, driver.LoadRequest{Key: req.Key, Version: req.Version, Now: req.Now}); err != nil {
						return err
					}
					return p.full.Rewrite(ctx, req)
				}
			}
		}},
	{"Rewrite keeps the digest", "Raw/Patches/Rewrite",
		func() func(*patcher) {
			return func(p *patcher) {
				p.rewrite = func(ctx context.Context, req driver.RewriteRequest) error {
					if cp, err := p.full.Load(ctx, driver.LoadRequest{Key: req.Key, Version: req.Version, Now: req.Now}); err == nil {
						req.Digest = cp.Digest
					}
					return p.full.Rewrite(ctx, req)
				}
			}
		}},
	{"the last link is another thread's", "Store/Patches/RoundTrip",
		loadsThat(func(cp *driver.Checkpoint) {
			if n := len(cp.Links); n > 1 {
				cp.Links[n-1] = cp.Links[n-2]
			}
		})},
	{"a patch is saved against whatever is there", "Store/Patches/Update",
		patchesThat(func(ctx context.Context, p *patcher, req *driver.PatchRequest) {
			time.Sleep(5 * time.Millisecond) // in which the other handles save: it is the fault that is slow, not the test
			cp := p.present(ctx, *req)
			req.Previous, req.Match = driver.Previous{ID: cp.ID, Digest: cp.Digest}, driver.Match{}
		})},
}

// TestBrokenPatchers shows that each of these backends fails the case that is about
// its fault, and that there is one for each case about patches.
func TestBrokenPatchers(t *testing.T) {
	t.Parallel()
	covered := make(map[string]bool)
	for _, broken := range brokenPatchers {
		covered[broken.fails] = true
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel()
			report := checkpointtest.Verify(t.Context(), openPatcher(broken.fault()),
				checkpointtest.Cases(func(name string) bool { return name == broken.fails }))
			if len(report.Results) != 1 || report.Results[0].Outcome != checkpointtest.Failed {
				t.Errorf("%s: %v, want it to fail", broken.fails, report.Results)
			}
		})
	}
	report := checkpointtest.Verify(t.Context(), openPatcher(func(*patcher) {}), checkpointtest.Cases(isAboutPatches))
	for _, r := range report.Results {
		if r.Outcome != checkpointtest.Passed {
			t.Errorf("%s: %s without a fault: %s", r.Case, r.Outcome, r.Reason)
		}
		if !covered[r.Case] {
			t.Errorf("no broken backend fails %s", r.Case)
		}
	}
}

func openPatcher(breakHandle func(*patcher)) func() (driver.Backend, error) {
	d := new(memory.Driver)
	return func() (driver.Backend, error) {
		b, err := d.Open("memory:patches")
		if err != nil {
			return nil, err
		}
		p := &patcher{full: b.(full), Patcher: b.(driver.Patcher)}
		breakHandle(p)
		return p, nil
	}
}

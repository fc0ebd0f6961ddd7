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

// A brokenPatcher is a brokenBackend that keeps patches.
type brokenPatcher struct {
	name, fails string
	only        []string
	fault       func() func(*patcher)
}

// brokenPatchers break one rule of driver.Patcher each.
var brokenPatchers = []brokenPatcher{
	{name: "links come newest first", fails: "Raw/Patches/Links", fault: loadsThat(func(cp *driver.Checkpoint) { slices.Reverse(cp.Links) })},
	{name: "the links begin after the whole state", fails: "Raw/Patches/Links", fault: loadsThat(func(cp *driver.Checkpoint) { cp.Links = cp.Links[min(1, len(cp.Links)):] })},
	{name: "a whole state is respelled", fails: "Raw/Patches/Links", fault: loadsThat(func(cp *driver.Checkpoint) {
		if cp.Encoding == "json" {
			cp.Payload = []byte(`{"n":1,"spelled":"another way"}`)
		}
	})},
	{name: "an id alone is known", fails: "Raw/Patches/Known", only: []string{"Raw/Patches/Known"}, fault: func() func(*patcher) {
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
	{name: "every load brings the whole history", fails: "Raw/Patches/Links", only: []string{"Raw/Patches/Links", "Raw/Patches/WrongBase", "Raw/Patches/Conditions", "Raw/Patches/Trimming", "Raw/Patches/NextLife"}, fault: func() func(*patcher) {
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
	{name: "the id alone proves the base", fails: "Raw/Patches/WrongBase", only: []string{"Raw/Patches/WrongBase", "Raw/Patches/Rewrite"}, fault: patchesThat(func(ctx context.Context, p *patcher, req *driver.PatchRequest) {
		if cp := p.present(ctx, *req); cp.ID == req.Previous.ID && cp.Digest != "" {
			req.Previous.Digest = cp.Digest
		}
	})},
	{name: "the digest alone proves the base", fails: "Raw/Patches/WrongBase", only: []string{"Raw/Patches/WrongBase"}, fault: patchesThat(func(ctx context.Context, p *patcher, req *driver.PatchRequest) {
		if cp := p.present(ctx, *req); cp.Digest == req.Previous.Digest {
			req.Previous.ID = cp.ID
		}
	})},
	{name: "a patch of an absent thread begins it", fails: "Raw/Patches/WrongBase", only: []string{"Raw/Patches/WrongBase", "Raw/Patches/NextLife"}, fault: func() func(*patcher) {
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
	{name: "the base is taken from the present life", fails: "Raw/Patches/AnotherLife", only: []string{"Raw/Patches/AnotherLife"}, fault: patchesThat(func(ctx context.Context, p *patcher, req *driver.PatchRequest) {
		if cp := p.present(ctx, *req); cp.Version > 0 {
			req.Base = cmp.Or(cp.Base, cp.Version)
		}
	})},
	{name: "a missing digest matches every one", fails: "Raw/Patches/WithoutDigest", only: []string{"Raw/Patches/WithoutDigest"}, fault: patchesThat(func(ctx context.Context, p *patcher, req *driver.PatchRequest) {
		if cp := p.present(ctx, *req); cp.Digest == "" {
			req.Previous.Digest = ""
		}
	})},
	{name: "a patch that lost is tried again", fails: "Raw/Patches/OneOfManyWins", only: []string{"Raw/Patches/WrongBase", "Raw/Patches/WithoutDigest", "Raw/Patches/OneOfManyWins", "Raw/Patches/NextLife", "Raw/Patches/Rewrite"}, fault: func() func(*patcher) {
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
	{name: "the base comes before the id", fails: "Raw/Patches/Repeated", only: []string{"Raw/Patches/Repeated"}, fault: func() func(*patcher) {
		return func(p *patcher) {
			p.savePatch = func(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
				if cp := p.present(ctx, req); cp.ID != req.Previous.ID {
					return driver.Info{}, driver.ErrBase
				}
				return p.Patcher.SavePatch(ctx, req)
			}
		}
	}},
	{name: "the base comes before the condition", fails: "Raw/Patches/Conditions", only: []string{"Raw/Patches/Repeated", "Raw/Patches/Conditions"}, fault: func() func(*patcher) {
		return func(p *patcher) {
			p.savePatch = func(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
				if cp := p.present(ctx, req); cp.ID != req.Previous.ID || cp.Digest != req.Previous.Digest {
					return driver.Info{}, driver.ErrBase
				}
				return p.Patcher.SavePatch(ctx, req)
			}
		}
	}},
	{name: "patches have no conditions", fails: "Raw/Patches/Conditions", only: []string{"Raw/Patches/Conditions"}, fault: patchesThat(func(_ context.Context, _ *patcher, req *driver.PatchRequest) { req.Match = driver.Match{} })},
	{name: "Keep counts from the version before", fails: "Raw/Patches/Trimming", fault: patchesThat(func(_ context.Context, _ *patcher, req *driver.PatchRequest) { req.Keep = max(1, req.Keep-1) })},
	{name: "what Keep does not count is dropped", fails: "Raw/Patches/Trimming", fault: func() func(*patcher) {
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
	{name: "visible is what the last Keep reaches", fails: "Raw/Patches/StayInvisible", fault: func() func(*patcher) {
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
				if keep, ok := keeps.Load(req.Key); ok { // not of what was imported
					req.Limit = keep.(int)
				}
				return p.full.History(ctx, req)
			}
		}
	}},
	{name: "an expired thread takes a patch", fails: "Raw/Patches/NextLife", only: []string{"Raw/Patches/NextLife"}, fault: patchesThat(func(_ context.Context, _ *patcher, req *driver.PatchRequest) { req.Now = req.Now.AddDate(-1, 0, 0) })},
	{name: "Delete removes the visible versions alone", fails: "Raw/Patches/NextLife", only: []string{"Raw/Patches/NextLife"}, fault: func() func(*patcher) {
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
	{name: "Rewrite finds visible versions alone", fails: "Raw/Patches/Rewrite", only: []string{"Raw/Patches/Rewrite"}, fault: func() func(*patcher) {
		return func(p *patcher) {
			p.rewrite = func(ctx context.Context, req driver.RewriteRequest) error {
				if _, err := p.full.Load(ctx, driver.LoadRequest{Key: req.Key, Version: req.Version, Now: req.Now}); err != nil {
					return err
				}
				return p.full.Rewrite(ctx, req)
			}
		}
	}},
	{name: "Rewrite keeps the digest", fails: "Raw/Patches/Rewrite", only: []string{"Raw/Patches/Rewrite"}, fault: func() func(*patcher) {
		return func(p *patcher) {
			p.rewrite = func(ctx context.Context, req driver.RewriteRequest) error {
				if cp, err := p.full.Load(ctx, driver.LoadRequest{Key: req.Key, Version: req.Version, Now: req.Now}); err == nil {
					req.Digest = cp.Digest
				}
				return p.full.Rewrite(ctx, req)
			}
		}
	}},
	{name: "the last link is another thread's", fails: "Store/Patches/RoundTrip", fault: loadsThat(func(cp *driver.Checkpoint) {
		if n := len(cp.Links); n > 1 {
			cp.Links[n-1] = cp.Links[n-2]
		}
	})},
	{name: "a patch is saved against whatever is there", fails: "Store/Patches/Update", only: []string{"Raw/Patches/WrongBase", "Raw/Patches/WithoutDigest", "Raw/Patches/OneOfManyWins", "Raw/Patches/Conditions", "Raw/Patches/NextLife", "Raw/Patches/Rewrite", "Store/Patches/Update"}, fault: patchesThat(func(ctx context.Context, p *patcher, req *driver.PatchRequest) {
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
	for _, broken := range slices.Concat(brokenPatchers, brokenChains) {
		covered[broken.fails] = true
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel()
			brokenBackend{name: broken.name, fails: broken.fails, only: broken.only, open: openPatcher(broken.fault())}.caught(t)
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

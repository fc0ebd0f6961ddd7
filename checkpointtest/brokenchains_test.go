package checkpointtest_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// brokenChains keep patches in ways that few cases see.
var brokenChains = []brokenPatcher{
	{name: "links are in the memory of the handle that saved them", fails: "Raw/Patches/Links", only: []string{"Raw/Patches/Links", "Raw/Patches/OneOfManyWins", "Store/Patches/RoundTrip", "Store/Patches/Update"},
		fault: func() func(*patcher) {
			return func(p *patcher) {
				saved := new(threadSet)
				p.savePatch = func(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
					saved.add(req.Key)
					return p.Patcher.SavePatch(ctx, req)
				}
				p.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					cp, err := p.full.Load(ctx, req)
					if !saved.has(req.Key) {
						cp.Links = nil
					}
					return cp, err
				}
			}
		}},
	{name: "the base is looked at before the write", fails: "Raw/Patches/OneOfManyWins", only: []string{"Raw/Patches/OneOfManyWins"},
		fault: patchesThat(func(ctx context.Context, p *patcher, req *driver.PatchRequest) {
			cp := p.present(ctx, *req)
			if cp.Version == 0 || cp.Digest == "" || req.Previous != (driver.Previous{ID: cp.ID, Digest: cp.Digest}) {
				return
			}
			time.Sleep(5 * time.Millisecond) // in which others save
			if now := p.present(ctx, *req); now.ID != req.ID && now.Base == cp.Base {
				req.Previous = driver.Previous{ID: now.ID, Digest: now.Digest}
			}
		})},
	{name: "a whole state lets go of what stood before it", fails: "Raw/Patches/Trimming", only: []string{"Raw/Patches/Trimming", "Raw/Patches/StayInvisible"},
		fault: func() func(*patcher) {
			return func(p *patcher) {
				p.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					cp, err := p.full.Load(ctx, req)
					if latest, _ := p.full.Load(ctx, driver.LoadRequest{Key: req.Key, Now: req.Now}); latest.Base == 0 {
						cp.Links = nil
					}
					return cp, err
				}
			}
		}},
	{name: "a number finds what a higher Keep would have kept", fails: "Raw/Patches/StayInvisible", only: []string{"Raw/Patches/StayInvisible"},
		fault: func() func(*patcher) {
			var keeps sync.Map // the Keep of the last patch
			return func(p *patcher) {
				p.savePatch = func(ctx context.Context, req driver.PatchRequest) (driver.Info, error) {
					keeps.Store(req.Key, int64(req.Keep))
					return p.Patcher.SavePatch(ctx, req)
				}
				p.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					cp, err := p.full.Load(ctx, req)
					if keep, ok := keeps.Load(req.Key); ok && errors.Is(err, driver.ErrNotFound) {
						latest, _ := p.full.Load(ctx, driver.LoadRequest{Key: req.Key, Now: req.Now})
						for _, l := range latest.Links {
							if l.Version == req.Version && latest.Version-l.Version < keep.(int64) {
								info := driver.Info{Key: req.Key, ID: l.ID, Version: l.Version, Encoding: l.Encoding, Base: l.Base, Size: len(l.Payload)}
								return driver.Checkpoint{Info: info, Payload: l.Payload}, nil
							}
						}
					}
					return cp, err
				}
			}
		}},
	{name: "a load brings ten links at most", fails: "Store/Patches/RoundTrip", only: []string{"Store/Patches/RoundTrip", "Store/Patches/Update", "Raw/Patches/OneOfManyWins"},
		fault: loadsThat(func(cp *driver.Checkpoint) { cp.Links = cp.Links[max(0, len(cp.Links)-10):] })},
}

package checkpointtest_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/go-ckpt/checkpoint/driver"
)

// brokenLoops do what the backends that hang or fail in many ways do, so that few cases
// see it.
var brokenLoops = []brokenBackend{
	{name: "a connection takes no large save while it yields a history", fails: "Raw/History/BodyGrows", only: []string{"Raw/History/BodyGrows"}, fault: yieldingAlone("History", 1<<20)},
	{name: "a connection takes no large save while it yields a list", fails: "Raw/List/BodyGrows", only: []string{"Raw/List/BodyGrows"}, fault: yieldingAlone("List", 1<<20)},
	{name: "a connection takes no large save while it yields versions", fails: "Raw/Versions/BodyGrows", only: []string{"Raw/Versions/BodyGrows", "Raw/Versions/LoopBody"}, fault: yieldingAlone("Versions", 1<<20)},
	{name: "a connection takes no save while it yields versions", fails: "Raw/Versions/LoopBody", only: []string{"Raw/Versions/BodyGrows", "Raw/Versions/LoopBody", "Raw/Versions/Trimmed", "Raw/Versions/Deleted", "Store/LogUnderway", "Raw/Errors/UsableAfterwards"}, fault: yieldingAlone("Versions", 0)},
	{name: "a version that goes under the loop is ErrNotFound", fails: "Raw/Versions/Trimmed", only: []string{"Raw/Versions/Trimmed", "Raw/Versions/Deleted", "Raw/Versions/WhileSaving", "Store/LogUnderway"}, fault: loadingRange(true)},
	{name: "a loop over numbers takes versions of a later life", fails: "Raw/Versions/Deleted", only: []string{"Raw/Versions/Deleted", "Store/LogUnderway"}, fault: loadingRange(false)},
	{name: "a large payload stays in its thread's page", fails: "Raw/Payload/Owned", only: []string{"Raw/Payload/Owned"},
		fault: func() func(*faulty) {
			var pages sync.Map
			return func(f *faulty) {
				f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
					c, err := f.full.Load(ctx, req)
					if len(c.Payload) > 50_000 && req.Version == 0 {
						page, _ := pages.LoadOrStore(req.Key, make([]byte, len(c.Payload)))
						if own := page.([]byte); len(own) == len(c.Payload) {
							overwrite(own, c.Payload)
							c.Payload = own
						}
					}
					return c, err
				}
			}
		}},
}

// overwrite copies what a backend may not: into a page that other callers may still
// read. The race detector, which sees that too, is kept out, for the suite has to see
// it; a call of copy would tell it nevertheless.
//
//go:norace
func overwrite(page, payload []byte) int {
	n := min(len(page), len(payload))
	for i := range n {
		page[i] = payload[i]
	}
	return n
}

// yieldingAlone refuses saves from a size on while a loop of the same handle yields.
func yieldingAlone(loop string, size int) fault {
	return each(func(f *faulty) {
		var loops atomic.Int64
		f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
			if loops.Load() > 0 && len(req.Payload) >= size {
				return driver.Info{Key: req.Key, ID: req.ID}, driver.ErrUnavailable
			}
			return f.full.Save(ctx, req)
		}
		switch loop {
		case "History":
			f.history = func(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
				return counting(&loops, f.full.History(ctx, req))
			}
		case "List":
			f.list = func(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
				return counting(&loops, f.full.List(ctx, req))
			}
		case "Versions":
			f.versions = func(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
				return counting(&loops, f.full.Versions(ctx, req))
			}
		}
	})
}

// counting counts the loops under way.
func counting[T any](loops *atomic.Int64, items iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		loops.Add(1)
		defer loops.Add(-1)
		items(yield)
	}
}

// loadingRange is Versions by the numbers of the range, listed once, and a Load for
// each; strict makes an error of what is not there any more.
func loadingRange(strict bool) fault {
	return each(func(f *faulty) {
		f.versions = func(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
			return func(yield func(driver.Checkpoint, error) bool) {
				var numbers []int64
				for c, err := range f.full.Versions(ctx, req) {
					if err != nil {
						yield(c, err)
						return
					}
					numbers = append(numbers, c.Version)
				}
				for _, n := range numbers {
					c, err := f.full.Load(ctx, driver.LoadRequest{Key: req.Key, Version: n, Now: req.Now})
					if errors.Is(err, driver.ErrNotFound) && !strict {
						continue
					}
					if !yield(c, err) || err != nil {
						return
					}
				}
			}
		}
	})
}

package checkpointtest_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/internal/test/memorypayloads"
)

// A hoard keeps payloads that nothing shows any more.
type hoard struct {
	mu   sync.Mutex
	left [][]byte
}

func (h *hoard) keep(payloads ...[]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range payloads {
		h.left = append(h.left, bytes.Clone(p))
	}
}

func (h *hoard) count(mark string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, p := range h.left {
		if bytes.Contains(p, []byte(mark)) {
			n++
		}
	}
	return n
}

// payloads returns every payload of a namespace that is visible or needed, or was
// until it expired.
func payloads(b full, namespace string) (all [][]byte) {
	ctx := context.Background()
	for info := range b.List(ctx, driver.ListRequest{Namespace: namespace}) {
		for c := range b.Versions(ctx, driver.VersionsRequest{Key: info.Key}) {
			all = append(all, c.Payload)
			c, _ := b.Load(ctx, driver.LoadRequest{Key: info.Key, Version: c.Version})
			for _, l := range c.Links {
				all = append(all, l.Payload)
			}
		}
	}
	return all
}

// hoarding keeps what an operation makes invisible.
func (h *hoard) hoarding(b full, namespace string, operation func()) {
	before := payloads(b, namespace)
	operation()
	for _, p := range payloads(b, namespace) { // equal ones as often as they are there
		if i := slices.IndexFunc(before, func(b []byte) bool { return bytes.Equal(b, p) }); i >= 0 {
			before = slices.Delete(before, i, i+1)
		}
	}
	h.keep(before...)
}

// brokenStorages leave payloads behind.
var brokenStorages = []struct {
	name, fails string
	only        []string
	fault       func(*faulty, *patcher, *hoard)
}{
	{name: "versions that are dropped stay", fails: "Raw/Stored/Trimmed", only: []string{"Raw/Stored/Trimmed", "Raw/Stored/Expired", "Raw/Stored/Patches"}, fault: func(f *faulty, _ *patcher, h *hoard) {
		f.save = func(ctx context.Context, req driver.SaveRequest) (info driver.Info, err error) {
			h.hoarding(f.full, req.Namespace, func() { info, err = f.full.Save(ctx, req) })
			return info, err
		}
	}},
	{name: "large versions that are dropped stay", fails: "Raw/Stored/Trimmed", only: []string{"Raw/Stored/Trimmed"}, fault: func(f *faulty, _ *patcher, h *hoard) {
		f.save = func(ctx context.Context, req driver.SaveRequest) (info driver.Info, err error) {
			if len(req.Payload) < 400_000 {
				return f.full.Save(ctx, req)
			}
			h.hoarding(f.full, req.Namespace, func() { info, err = f.full.Save(ctx, req) })
			return info, err
		}
	}},
	{name: "a payload is written before its save is decided", fails: "Raw/Stored/Refused", only: []string{"Raw/Stored/Refused"}, fault: func(f *faulty, _ *patcher, h *hoard) {
		f.save = func(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
			info, err := f.full.Save(ctx, req)
			if errors.Is(err, driver.ErrConflict) {
				h.keep(req.Payload)
			}
			return info, err
		}
	}},
	{name: "older versions of a deleted thread stay", fails: "Raw/Stored/Deleted", only: []string{"Raw/Stored/Deleted", "Raw/Stored/Expired", "Raw/Stored/Imported", "Raw/Stored/Rewritten", "Raw/Stored/Patches"}, fault: func(f *faulty, _ *patcher, h *hoard) {
		f.remove = func(ctx context.Context, req driver.DeleteRequest) (err error) {
			h.hoarding(f.full, req.Namespace, func() { err = f.full.Delete(ctx, req) })
			return err
		}
	}},
	{name: "an expired life stays under the next one", fails: "Raw/Stored/Expired", only: []string{"Raw/Stored/Expired", "Raw/Stored/Patches"}, fault: func(f *faulty, _ *patcher, h *hoard) {
		f.save = func(ctx context.Context, req driver.SaveRequest) (info driver.Info, err error) {
			if f.latest(ctx, req.Key, req.Now).Version != 0 {
				return f.full.Save(ctx, req)
			}
			h.hoarding(f.full, req.Namespace, func() { info, err = f.full.Save(ctx, req) })
			return info, err
		}
	}},
	{name: "Purge removes the names alone", fails: "Raw/Stored/Purged", only: []string{"Raw/Stored/Purged"}, fault: func(f *faulty, _ *patcher, h *hoard) {
		f.purge = func(ctx context.Context, namespace string, now time.Time) (n int64, err error) {
			h.hoarding(f.full, namespace, func() { n, err = f.full.Purge(ctx, namespace, now) })
			return n, err
		}
	}},
	{name: "DeletePrefix removes the names alone", fails: "Raw/Stored/DeletedPrefix", only: []string{"Raw/Stored/DeletedPrefix"}, fault: func(f *faulty, _ *patcher, h *hoard) {
		f.prefix = func(ctx context.Context, req driver.DeletePrefixRequest) (n int64, err error) {
			h.hoarding(f.full, req.Namespace, func() { n, err = f.full.DeletePrefix(ctx, req) })
			return n, err
		}
	}},
	{name: "versions that Import drops stay", fails: "Raw/Stored/Imported", only: []string{"Raw/Stored/Imported"}, fault: func(f *faulty, _ *patcher, h *hoard) {
		f.importing = func(ctx context.Context, req driver.ImportRequest) (err error) {
			h.hoarding(f.full, req.Namespace, func() { err = f.full.Import(ctx, req) })
			return err
		}
	}},
	{name: "an Import that is refused stays", fails: "Raw/Stored/Imported", only: []string{"Raw/Stored/Imported"}, fault: func(f *faulty, _ *patcher, h *hoard) {
		f.importing = func(ctx context.Context, req driver.ImportRequest) error {
			err := f.full.Import(ctx, req)
			if err != nil {
				h.keep(req.Payload)
			}
			return err
		}
	}},
	{name: "what Rewrite replaces stays", fails: "Raw/Stored/Rewritten", only: []string{"Raw/Stored/Rewritten"}, fault: func(f *faulty, _ *patcher, h *hoard) {
		f.rewrite = func(ctx context.Context, req driver.RewriteRequest) (err error) {
			h.hoarding(f.full, req.Namespace, func() { err = f.full.Rewrite(ctx, req) })
			return err
		}
	}},
	{name: "links stay when nothing needs them", fails: "Raw/Stored/Patches", only: []string{"Raw/Stored/Expired", "Raw/Stored/Patches"}, fault: func(_ *faulty, p *patcher, h *hoard) {
		p.save = func(ctx context.Context, req driver.SaveRequest) (info driver.Info, err error) {
			if req.Keep == 1 { // of other cases
				return p.full.Save(ctx, req)
			}
			h.hoarding(p.full, req.Namespace, func() { info, err = p.full.Save(ctx, req) })
			return info, err
		}
	}},
	{name: "the first state of a chain is counted among those that go", fails: "Raw/Stored/Patches", only: []string{"Raw/Stored/Patches"}, fault: func(_ *faulty, p *patcher, h *hoard) {
		p.savePatch = func(ctx context.Context, req driver.PatchRequest) (info driver.Info, err error) {
			h.hoarding(p.full, req.Namespace, func() { info, err = p.Patcher.SavePatch(ctx, req) })
			if err == nil && req.Keep == 1 {
				h.keep(req.Payload)
			}
			return info, err
		}
	}},
}

// openStorage opens handles on a store in memory that leaves behind what fault says,
// and counts its payloads.
func openStorage(fault func(*faulty, *patcher, *hoard)) (func() (driver.Backend, error), checkpointtest.Option) {
	d, h := new(memory.Driver), new(hoard)
	inMemory := memorypayloads.Count(d)
	open := func() (driver.Backend, error) {
		b, err := d.Open("memory:storage")
		if err != nil {
			return nil, err
		}
		f := &faulty{full: b.(full)}
		p := &patcher{full: f, Patcher: b.(driver.Patcher)}
		fault(f, p, h)
		return p, nil
	}
	return open, checkpointtest.StoredPayloads(func(ctx context.Context, mark string) (int, error) {
		n, err := inMemory(ctx, mark)
		return n + h.count(mark), err
	}, 0)
}

// TestBrokenStorages shows that each of these backends fails the case that is about
// what it leaves behind, and that there is one for each case.
func TestBrokenStorages(t *testing.T) {
	t.Parallel()
	covered := make(map[string]bool)
	var wg sync.WaitGroup
	for _, broken := range brokenStorages {
		covered[broken.fails] = true
		wg.Go(func() { // at once: they wait for what may yet go
			t.Run(broken.name, func(t *testing.T) {
				open, stored := openStorage(broken.fault)
				b := brokenBackend{name: broken.name, fails: broken.fails, reason: "left behind", only: broken.only, open: open,
					options: []checkpointtest.Option{stored, checkpointtest.Patience(0)}} // a hoard looks at all there is
				b.caught(t)
			})
		})
	}
	wg.Wait()
	open, stored := openStorage(func(*faulty, *patcher, *hoard) {})
	report := checkpointtest.Verify(t.Context(), open, stored, checkpointtest.Cases(func(name string) bool { return strings.HasPrefix(name, "Raw/Stored/") }))
	for _, r := range report.Results {
		if r.Outcome != checkpointtest.Passed {
			t.Errorf("%s: %s without a fault: %s", r.Case, r.Outcome, r.Reason)
		}
		if !covered[r.Case] {
			t.Errorf("no broken backend fails %s", r.Case)
		}
	}
}

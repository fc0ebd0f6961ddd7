package robustness

import (
	"context"
	"crypto/rand"
	"iter"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// broken is a table of backends that break one promise each, now and then.
var broken = []struct {
	name string
	wrap func(driver.Backend, *mathrand.Rand) driver.Backend
}{
	{"stale read", func(b driver.Backend, r *mathrand.Rand) driver.Backend {
		return &staleReads{Backend: b, sometimes: sometimes(r, 5), cache: map[driver.Key]driver.Checkpoint{}}
	}},
	{"lost update", func(b driver.Backend, r *mathrand.Rand) driver.Backend { return lostUpdates{b} }},
	{"acknowledged and lost", func(b driver.Backend, r *mathrand.Rand) driver.Backend {
		return &lostSaves{b, sometimes(r, 20)}
	}},
	{"applied twice", func(b driver.Backend, r *mathrand.Rand) driver.Backend { return &doubleSaves{b, sometimes(r, 20)} }},
	{"expired and visible", func(b driver.Backend, r *mathrand.Rand) driver.Backend { return slowClock{b} }},
	{"delete that comes back", func(b driver.Backend, r *mathrand.Rand) driver.Backend { return &lazyDeletes{b, sometimes(r, 3)} }},
	{"deletion without its condition", func(b driver.Backend, r *mathrand.Rand) driver.Backend { return rashDeletes{b} }},
	{"save without its version", func(b driver.Backend, r *mathrand.Rand) driver.Backend { return rashSaves{b} }},
	{"version left out", func(b driver.Backend, r *mathrand.Rand) driver.Backend {
		return gaps{b, b.(driver.VersionReader)}
	}},
	{"prefix that stops early", func(b driver.Backend, r *mathrand.Rand) driver.Backend { return lazyPrefixes{b} }},
	{"metadata of another", func(b driver.Backend, r *mathrand.Rand) driver.Backend { return &mixedSaves{b, sometimes(r, 20)} }},
}

// sometimes returns a function that is true once in n calls.
func sometimes(r *mathrand.Rand, n int) func() bool {
	var mu sync.Mutex
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n) == 0
	}
}

type staleReads struct {
	driver.Backend
	sometimes func() bool
	mu        sync.Mutex
	cache     map[driver.Key]driver.Checkpoint
}

func (b *staleReads) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	b.mu.Lock()
	cp, ok := b.cache[req.Key]
	b.mu.Unlock()
	if ok && req.Version == 0 && !cp.Expired(req.Now) && b.sometimes() {
		return cp, nil
	}
	cp, err := b.Backend.Load(ctx, req)
	if err == nil && req.Version == 0 {
		b.mu.Lock()
		b.cache[req.Key] = cp
		b.mu.Unlock()
	}
	return cp, err
}

type lostUpdates struct{ driver.Backend }

func (b lostUpdates) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	if req.Match.ID != "" {
		cp, err := b.Load(ctx, driver.LoadRequest{Key: req.Key, Now: req.Now})
		time.Sleep(time.Millisecond) // time enough for another
		if err == nil && cp.ID == req.Match.ID {
			req.Match = driver.Match{}
		}
	}
	return b.Backend.Save(ctx, req)
}

type lostSaves struct {
	driver.Backend
	sometimes func() bool
}

func (b *lostSaves) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	info, err := b.Backend.Save(ctx, req)
	if err == nil && info.Version == 1 && b.sometimes() {
		b.Delete(ctx, driver.DeleteRequest{Key: req.Key})
	}
	return info, err
}

type doubleSaves struct {
	driver.Backend
	sometimes func() bool
}

func (b *doubleSaves) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	if req.Match == (driver.Match{}) && b.sometimes() {
		first := req
		first.ID = rand.Text()
		b.Backend.Save(ctx, first)
	}
	return b.Backend.Save(ctx, req)
}

type slowClock struct{ driver.Backend }

func (b slowClock) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	req.Now = req.Now.Add(-time.Hour)
	return b.Backend.Load(ctx, req)
}

type lazyDeletes struct {
	driver.Backend
	sometimes func() bool
}

func (b *lazyDeletes) Delete(ctx context.Context, req driver.DeleteRequest) error {
	if b.sometimes() {
		return nil
	}
	return b.Backend.Delete(ctx, req)
}

type rashDeletes struct{ driver.Backend }

func (b rashDeletes) Delete(ctx context.Context, req driver.DeleteRequest) error {
	req.Match = driver.Match{}
	return b.Backend.Delete(ctx, req)
}

type rashSaves struct{ driver.Backend }

func (b rashSaves) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	req.Match.Version = 0
	return b.Backend.Save(ctx, req)
}

type gaps struct {
	driver.Backend
	versions driver.VersionReader
}

// Versions leaves out the second.
func (b gaps) Versions(ctx context.Context, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	return func(yield func(driver.Checkpoint, error) bool) {
		n := 0
		for cp, err := range b.versions.Versions(ctx, req) {
			if n++; n != 2 && !yield(cp, err) {
				return
			}
		}
	}
}

type lazyPrefixes struct{ driver.Backend }

// DeletePrefix removes one thread and is content.
func (b lazyPrefixes) DeletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	for info, err := range b.List(ctx, driver.ListRequest{Namespace: req.Namespace, Prefix: req.Prefix, Limit: 1, Now: req.Now}) {
		if err != nil {
			return 0, err
		}
		return 1, b.Delete(ctx, driver.DeleteRequest{Key: info.Key, Now: req.Now})
	}
	return 0, nil
}

type mixedSaves struct {
	driver.Backend
	sometimes func() bool
}

func (b *mixedSaves) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	if b.sometimes() {
		req.Metadata = map[string]string{"by": "another"}
	}
	return b.Backend.Save(ctx, req)
}

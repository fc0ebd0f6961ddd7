package golden

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// A second set, of threads that were saved incrementally: of formats that came with
// driver.Patcher.

// A chain is a thread by the bases of its versions, 0 for a whole state.
type chain struct {
	name    string
	keep    int
	bases   []int64
	plain   bool  // the last version was saved without a digest
	visible int64 // the lowest version that is
	expires time.Time
}

func chains() []chain {
	far := time.Date(2999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	return []chain{
		{name: "conversation", keep: 1, bases: []int64{0, 1, 1, 1}, visible: 4},
		{name: "whole", keep: 1, bases: []int64{0, 1, 1, 0}, visible: 4},
		{name: "history", keep: 3, bases: []int64{0, 1, 1, 1, 1}, visible: 3},
		{name: "history of two chains", keep: 3, bases: []int64{0, 1, 1, 0, 4, 4}, visible: 4},
		{name: "across two chains", keep: 4, bases: []int64{0, 1, 1, 0, 4, 4}, visible: 3},
		{name: "left", keep: 3, bases: []int64{0, 1, 1, 1, 0}, plain: true, visible: 3},
		{name: "mortal", keep: 2, bases: []int64{0, 1, 1}, visible: 2, expires: far},
	}
}

// requests returns the saves of a chain, which is the i-th of the set.
func (c chain) requests(i int) []driver.PatchRequest {
	var reqs []driver.PatchRequest
	for v, base := range c.bases {
		req := driver.PatchRequest{Base: base, SaveRequest: driver.SaveRequest{
			Key: driver.Key{Namespace: agents, Thread: "chain/" + c.name}, ID: fmt.Sprintf("CHAIN%016d%05d", i, v+1),
			Payload: fmt.Appendf(nil, `{ "spelled" :"in its own way", "n": %d.0, "text":"%s" }`, v+1, strings.Repeat("state ", 800)), Encoding: "json",
			Digest: fmt.Sprintf("digest_-%014d%05d", i, v+1), Metadata: map[string]string{"step": fmt.Sprint(v + 1)},
			Now: Written.Add(time.Duration(i)*time.Minute + time.Duration(v)*time.Millisecond), ExpiresAt: c.expires, Keep: c.keep,
		}}
		if base != 0 {
			req.Payload, req.Encoding = fmt.Appendf(nil, "\x00\xff patch %d", v+1), "json+patch"
			req.Previous = driver.Previous{ID: reqs[v-1].ID, Digest: reqs[v-1].Digest}
		} else if c.plain && v == len(c.bases)-1 {
			req.Digest = ""
		}
		reqs = append(reqs, req)
	}
	return reqs
}

// WriteChains saves the set into an empty database.
func WriteChains(ctx context.Context, b driver.Backend) error {
	if err := b.Ping(ctx); err != nil {
		return fmt.Errorf("golden: ping: %w", err)
	}
	for i, c := range chains() {
		for _, req := range c.requests(i) {
			if _, err := saveOrPatch(ctx, b, req); err != nil {
				return fmt.Errorf("golden: save %q: %w", c.name, err)
			}
		}
	}
	return nil
}

func saveOrPatch(ctx context.Context, b driver.Backend, req driver.PatchRequest) (driver.Info, error) {
	if req.Base == 0 {
		return b.Save(ctx, req.SaveRequest)
	}
	return b.(driver.Patcher).SavePatch(ctx, req)
}

// CheckChains reads the set and goes on from it, and reports every difference. It
// changes the database: give it a copy.
func CheckChains(t testing.TB, b driver.Backend) {
	t.Helper()
	if err := b.Ping(t.Context()); err != nil {
		t.Fatalf("Ping: %v", err)
	}
	for i, c := range chains() {
		checkChain(t, b, c, c.requests(i))
	}
}

func checkChain(t testing.TB, b driver.Backend, c chain, reqs []driver.PatchRequest) {
	t.Helper()
	for v := int64(1); v <= int64(len(reqs)); v++ {
		req := reqs[v-1]
		got, err := b.Load(t.Context(), driver.LoadRequest{Key: req.Key, Version: v, Now: Read})
		if v < c.visible {
			if !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("Load(%q, %d): %v, want ErrNotFound", c.name, v, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("Load(%q, %d): %v", c.name, v, err)
			continue
		}
		checkInfo(t, "Load", got.Info, driver.Info{
			Key: req.Key, ID: req.ID, Version: v, Size: len(req.Payload), Encoding: req.Encoding, Metadata: req.Metadata,
			CreatedAt: reqs[0].Now, SavedAt: req.Now, ExpiresAt: req.ExpiresAt,
		})
		links := 0
		if req.Base != 0 {
			links = int(v - req.Base)
		}
		same := string(got.Payload) == string(req.Payload) || req.Digest == "" && samePayload(req.Encoding, got.Payload, req.Payload)
		if got.Base != req.Base || got.Digest != req.Digest || !same || len(got.Links) != links {
			t.Errorf("Load(%q, %d) = base %d, digest %q, payload %.40q, %d links, want %d, %q, %.40q, %d",
				c.name, v, got.Base, got.Digest, got.Payload, len(got.Links), req.Base, req.Digest, req.Payload, links)
			continue
		}
		for n, l := range got.Links {
			want := reqs[int(req.Base)-1+n]
			if l.Version != req.Base+int64(n) || l.ID != want.ID || l.Base != want.Base || l.Encoding != want.Encoding || string(l.Payload) != string(want.Payload) {
				t.Errorf("Load(%q, %d) brings as link %d version %d, id %q, base %d, payload %.40q, want that of id %q", c.name, v, n, l.Version, l.ID, l.Base, l.Payload, want.ID)
			}
		}
	}
	checkChainGoesOn(t, b, c, reqs[len(reqs)-1], int64(len(reqs)))
}

// checkChainGoesOn saves a patch against the latest version.
func checkChainGoesOn(t testing.TB, b driver.Backend, c chain, last driver.PatchRequest, version int64) {
	t.Helper()
	next := last
	next.Base = last.Base
	if last.Base == 0 {
		next.Base = version
	}
	next.ID, next.Digest, next.Now = "NEXT"+last.ID[4:], "next", Read
	next.Previous = driver.Previous{ID: last.ID, Digest: "another"}
	if _, err := saveOrPatch(t.Context(), b, next); !errors.Is(err, driver.ErrBase) {
		t.Errorf("SavePatch(%q) against another digest: %v, want ErrBase", c.name, err)
	}
	if next.Previous.Digest = last.Digest; last.Digest == "" {
		next.Base = 0
	}
	if info, err := saveOrPatch(t.Context(), b, next); err != nil || info.Version != version+1 || info.Base != next.Base {
		t.Errorf("next save of %q = version %d, base %d, %v, want version %d, base %d", c.name, info.Version, info.Base, err, version+1, next.Base)
	}
}

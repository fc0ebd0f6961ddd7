package checkpointtest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-ckpt/checkpoint/driver"
)

// A chain is a thread as it was saved by patches.
type chain struct {
	t        *trial
	b        *handle
	thread   string
	keep     int
	mark     string        // stands in every payload
	versions []driver.Link // all that were saved, from version 1 on
	digests  []string
}

func (t *trial) chain(b *handle, thread string, keep int) *chain {
	return &chain{t: t, b: b, thread: thread, keep: keep}
}

// request is the next save: whole, or a patch when base is not 0.
func (c *chain) request(base int64) driver.PatchRequest {
	n := len(c.versions) + 1
	req := driver.PatchRequest{SaveRequest: c.t.request(c.thread), Base: base}
	req.Keep, req.Encoding = c.keep, "json"
	req.Payload = fmt.Appendf(nil, ` { "spelled" :"in its own way", "n": %d.0, "mark": %q }`, n, c.mark) // JSON that a database may respell
	req.Digest = fmt.Sprintf("digest-%d-%s", n, c.thread)
	if base != 0 {
		req.Encoding, req.Payload = "json+patch", fmt.Appendf(nil, "\x00patch\xff%d%s", n, c.mark)
		req.Previous = driver.Previous{ID: c.versions[n-2].ID, Digest: c.digests[n-2]}
	}
	return req
}

// add saves the next version, or ends the case.
func (c *chain) add(base int64) driver.Info {
	req := c.request(base)
	var info driver.Info
	if base == 0 {
		info = c.t.save(c.b, req.SaveRequest)
	} else {
		var err error
		if info, err = c.b.SavePatch(c.t.ctx, req); err != nil {
			c.t.Fatalf("SavePatch of version %d: error %v, want success", len(c.versions)+1, err)
		}
	}
	c.saved(req)
	if last := c.versions[len(c.versions)-1]; info.Version != last.Version || info.ID != last.ID || info.Base != base || info.Size != len(last.Payload) {
		c.t.Errorf("SavePatch = %s base=%d, want version %d with base %d", show(info), info.Base, last.Version, base)
	}
	return info
}

func (c *chain) saved(req driver.PatchRequest) {
	c.versions = append(c.versions, driver.Link{Version: int64(len(c.versions) + 1), ID: req.ID, Encoding: req.Encoding, Base: req.Base, Payload: req.Payload})
	c.digests = append(c.digests, req.Digest)
}

// visible checks that exactly the versions from first on are visible, and that each
// comes with all that it needs.
func (c *chain) visible(first int64) {
	t, last := c.t, int64(len(c.versions))
	t.versions(c.b, c.thread, down(last, first)...)
	for v := first; v <= last; v++ {
		want := c.versions[v-1]
		got := t.loadVersion(c.b, c.thread, v, t.now)
		if diff := difference(linkOf(got), want); diff != "" || got.Digest != c.digests[v-1] {
			t.Errorf("Load of version %d, with digest %q, want %q: %s", v, got.Digest, c.digests[v-1], diff)
		}
		var needs []driver.Link
		if want.Base != 0 {
			needs = c.versions[want.Base-1 : v-1]
		}
		if diff := difference(got.Links, needs); diff != "" {
			t.Errorf("Load of version %d brings links: %s", v, diff)
		}
	}
	if got := t.load(c.b, c.thread); got.Version != last || len(got.Links) != len(t.loadVersion(c.b, c.thread, last, t.now).Links) {
		t.Errorf("Load of the latest version = %s with %d links, want version %d with as many as by its number", show(got.Info), len(got.Links), last)
	}
	for v := int64(1); v < first; v++ {
		t.missing(c.b, c.thread, v, t.now)
		if has[driver.Finder](c.b.inner) {
			info, err := c.b.Find(t.ctx, driver.FindRequest{Key: t.key(c.thread), ID: c.versions[v-1].ID, Now: t.now})
			if !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("Find of the id of version %d, which is invisible = %s, %v, want ErrNotFound", v, show(info), err)
			}
		}
	}
	if has[driver.VersionReader](c.b.inner) {
		var got []int64
		for cp, err := range c.b.Versions(t.ctx, driver.VersionsRequest{Key: t.key(c.thread), Newest: true, Now: t.now}) {
			if err != nil {
				t.Fatalf("Versions yielded error %v, want none", err)
			}
			if diff := difference(linkOf(cp), c.versions[cp.Version-1]); diff != "" {
				t.Errorf("Versions yielded version %d: %s", cp.Version, diff)
			}
			got = append(got, cp.Version)
		}
		if !slices.Equal(got, down(last, first)) {
			t.Errorf("Versions yielded %d, want %d", got, down(last, first))
		}
	}
	for _, info := range t.historyOf(c.b, c.thread) {
		if want := c.versions[info.Version-1]; info.Base != want.Base || info.Size != len(want.Payload) {
			t.Errorf("History yielded version %d with base %d and size %d, want %d and %d", info.Version, info.Base, info.Size, want.Base, len(want.Payload))
		}
	}
}

func linkOf(cp driver.Checkpoint) driver.Link {
	return driver.Link{Version: cp.Version, ID: cp.ID, Encoding: cp.Encoding, Base: cp.Base, Payload: cp.Payload}
}

// refused checks that a patch is ErrBase and changes nothing.
func (c *chain) refused(what string, req driver.PatchRequest) {
	before := c.t.historyOf(c.b, req.Thread)
	if info, err := c.b.SavePatch(c.t.ctx, req); !errors.Is(err, driver.ErrBase) {
		c.t.Errorf("SavePatch against %s = %s, %v, want ErrBase", what, show(info), err)
	}
	if diff := difference(c.t.historyOf(c.b, req.Thread), before); diff != "" {
		c.t.Errorf("after a refused patch against %s: History: %s", what, diff)
	}
}

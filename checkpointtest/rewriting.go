package checkpointtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// The cases about driver.Rewriter.
func rewriteCases() []testCase {
	return []testCase{
		{name: "Raw/Rewrite/Payload", needs: "Rewriter", run: rewritePayload,
			rule: 2, text: "Rewrite replaces payload, encoding and size of one version, and changes nothing else."},
		{name: "Raw/Rewrite/Missing", needs: "Rewriter", run: rewriteMissing,
			rule: 2, text: "Rewrite of a version that the live thread does not keep under that id is ErrNotFound and changes nothing."},
		{name: "Raw/Rewrite/FormerLife", needs: "Rewriter", run: rewriteFormerLife,
			rule: 2, text: "Rewrite of a version of a former life is ErrNotFound and changes nothing, though the present life has the same version and id."},
		{name: "Raw/Rewrite/WhileSaving", needs: "Rewriter", run: rewriteWhileSaving,
			rule: 2, text: "Rewrite beside saves loses none of them, and a Load returns the old payload or the new one."},
	}
}

// rewrite is a request to replace a checkpoint's payload.
func (t *trial) rewrite(of driver.Info, payload string) driver.RewriteRequest {
	return driver.RewriteRequest{Key: of.Key, Version: of.Version, ID: of.ID, Payload: []byte(payload), Encoding: "json+aead", Now: t.now, CreatedAt: of.CreatedAt}
}

func rewritePayload(t *trial) {
	b := t.open()
	for i := range 3 {
		req := t.request("thread")
		req.Keep = 3
		req.Now = t.now.Add(time.Duration(i) * time.Second)
		req.ExpiresAt = t.now.Add(time.Duration(10-i) * time.Hour)
		req.Metadata = map[string]string{"number": fmt.Sprint(i)}
		t.save(b, req)
	}
	before := t.historyOf(b, "thread")
	for _, size := range []int{30, 0, 450_000, 12} {
		for i, info := range before {
			payload := string(randomBytes(size))
			if err := b.Rewrite(t.ctx, t.rewrite(info, payload)); err != nil {
				t.Fatalf("Rewrite of version %d with %d bytes: error %v, want nil", info.Version, size, err)
			}
			info.Encoding, info.Size = "json+aead", size
			before[i] = info
			got := t.loadVersion(b, "thread", info.Version, t.now)
			if d := diffBytes(got.Payload, []byte(payload)); d != "" {
				t.Errorf("after Rewrite of version %d the payload is %s", info.Version, d)
			}
		}
		for i, info := range t.historyOf(b, "thread") {
			t.same(fmt.Sprintf("History after Rewrite, version %d", before[i].Version), info, before[i])
		}
	}
	if listed := t.listed(b, driver.ListRequest{}); len(listed) == 1 {
		t.same("List after Rewrite", listed[0], before[0])
	} else {
		t.Errorf("after Rewrite List yields %d threads, want 1", len(listed))
	}
	req := t.request("thread")
	req.Match.ID = before[0].ID
	if got := t.save(b, req); got.Version != 4 {
		t.Errorf("after Rewrite Save on condition of the latest id returned %s, want version 4", show(got))
	}
}

func rewriteMissing(t *trial) {
	b := t.open()
	infos := t.grow(b, "thread", 4, 2)
	gone := t.save(b, t.request("deleted"))
	t.remove(b, "deleted")
	mortal := t.mortal(b, "expired")
	latest := infos[3]
	other := latest
	other.ID = "never-there"
	crossed := latest
	crossed.ID = infos[2].ID
	future := latest
	future.Version = 5
	for what, req := range map[string]driver.RewriteRequest{
		"a version that was dropped":       t.rewrite(infos[0], "rewritten"),
		"a version that is not yet there":  t.rewrite(future, "rewritten"),
		"another id":                       t.rewrite(other, "rewritten"),
		"the id of another version":        t.rewrite(crossed, "rewritten"),
		"a thread that was deleted":        t.rewrite(gone, "rewritten"),
		"a thread that was never there":    t.rewrite(driver.Info{Key: t.key("none"), Version: 1, ID: latest.ID}, "rewritten"),
		"the thread in another namespace":  t.rewrite(driver.Info{Key: driver.Key{Namespace: t.namespace + "a", Thread: "thread"}, Version: 4, ID: latest.ID}, "rewritten"),
		"a thread that has expired by now": {Key: mortal.Key, Version: 2, ID: mortal.ID, Payload: []byte("rewritten"), Encoding: "bytes", Now: mortal.ExpiresAt},
	} {
		if err := b.Rewrite(t.ctx, req); !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("Rewrite of %s: error %v, want ErrNotFound", what, err)
		}
	}
	for _, info := range infos[2:] {
		c := t.loadVersion(b, "thread", info.Version, t.now)
		t.same(fmt.Sprintf("Load of version %d after Rewrite of what is missing", info.Version), c.Info, info)
		if string(c.Payload) == "rewritten" {
			t.Errorf("version %d was rewritten", info.Version)
		}
	}
	t.names(b, driver.ListRequest{}, "expired", "thread")
}

func rewriteFormerLife(t *trial) {
	b := t.open()
	life := func(now time.Time) []driver.Info {
		var infos []driver.Info
		for _, id := range []string{"first", "second"} {
			req := t.request("thread")
			req.ID, req.Keep, req.Now = id, 2, now
			infos = append(infos, t.save(b, req))
		}
		return infos
	}
	former := life(t.now.Add(-time.Hour))
	t.remove(b, "thread")
	present := life(t.now)
	for i, info := range former {
		if err := b.Rewrite(t.ctx, t.rewrite(info, "rewritten")); !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("Rewrite of version %d of a former life: error %v, want ErrNotFound", info.Version, err)
		}
		c := t.loadVersion(b, "thread", info.Version, t.now)
		t.same(fmt.Sprintf("Load of version %d after Rewrite in a former life", info.Version), c.Info, present[i])
		if string(c.Payload) == "rewritten" {
			t.Errorf("version %d was rewritten", info.Version)
		}
		if err := b.Rewrite(t.ctx, t.rewrite(present[i], "rewritten")); err != nil {
			t.Errorf("Rewrite of version %d of the present life: error %v, want nil", info.Version, err)
		}
		any := t.rewrite(present[i], "rewritten")
		any.CreatedAt = time.Time{}
		if err := b.Rewrite(t.ctx, any); err != nil {
			t.Errorf("Rewrite of version %d of any life: error %v, want nil", info.Version, err)
		}
	}
}

func rewriteWhileSaving(t *trial) {
	b, other := t.open(), t.open()
	const keep = 3
	t.grow(b, "thread", keep, keep)
	latest := driver.LoadRequest{Key: t.key("thread"), Now: t.now}
	saves := t.besideFor(50*time.Millisecond, func(int) bool {
		req := t.request("thread")
		req.Keep = keep
		_, err := b.Save(t.ctx, req)
		if err != nil {
			t.Errorf("Save: %v", err)
		}
		return err == nil
	}, func() bool {
		c, err := other.Load(t.ctx, latest)
		if err == nil {
			err = other.Rewrite(t.ctx, t.rewrite(c.Info, "rewritten"))
		}
		if err != nil && !errors.Is(err, driver.ErrNotFound) { // it may be dropped meanwhile
			t.Errorf("Load and Rewrite: %v", err)
			return false
		}
		return true
	}, func() bool {
		c, err := other.Load(t.ctx, latest)
		if err != nil || c.Encoding != "json" && len(c.Payload) != c.Size || (string(c.Payload) == "rewritten") != (c.Encoding == "json+aead") {
			t.Errorf("Load beside Rewrite = %s %q, %v", show(c.Info), c.Payload, err)
			return false
		}
		return true
	})
	t.versions(b, "thread", down(int64(saves)+keep, int64(saves)+1)...)
}

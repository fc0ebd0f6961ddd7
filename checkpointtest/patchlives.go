package checkpointtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

func patchNextLife(t *trial) {
	b := t.open()
	c := t.chain(b, "thread", 1)
	c.add(0)
	c.add(1)
	before := c.request(1)
	t.remove(b, "thread")
	c.refused("a thread that was deleted", before)
	next := t.chain(b, "thread", 10)
	next.add(0)
	next.visible(1)
	c.refused("a former life", before)
	next.add(1)
	next.visible(1)

	old := t.chain(b, "mortal", 1)
	old.add(0)
	mortal := old.request(1)
	mortal.ExpiresAt = t.now.Add(time.Hour)
	if _, err := b.SavePatch(t.ctx, mortal); err != nil {
		t.Fatalf("SavePatch: error %v, want success", err)
	}
	old.saved(mortal)
	old.visible(2)
	late := old.request(1)
	late.Now = mortal.ExpiresAt
	if info, err := b.SavePatch(t.ctx, late); !errors.Is(err, driver.ErrBase) {
		t.Errorf("SavePatch on an expired thread = %s, %v, want ErrBase", show(info), err)
	}
	fresh := t.request("mortal")
	fresh.Now = mortal.ExpiresAt
	fresh.Keep = 10
	if info := t.save(b, fresh); info.Version != 1 {
		t.Errorf("Save after the expiry of a chain = %s, want version 1", show(info))
	}
	if got := t.loadVersion(b, "mortal", 0, fresh.Now); got.Version != 1 || len(got.Links) != 0 {
		t.Errorf("Load after it = %s with %d links, want version 1 with none", show(got.Info), len(got.Links))
	}
}

func patchAnotherLife(t *trial) {
	b := t.open()
	c := t.chain(b, "thread", 10)
	c.add(0)
	c.add(0)
	whole := c.request(0)
	t.save(b, whole.SaveRequest)
	c.saved(whole)
	patch := c.request(3)
	t.remove(b, "thread")
	t.save(b, whole.SaveRequest) // repeated: version 1 of the next life
	c.refused("the same id and digest in another life", patch)
	if got := t.load(b, "thread"); got.Version != 1 || got.ID != whole.ID {
		t.Errorf("Load after it = %s, want version 1 with id %s", show(got.Info), whole.ID)
	}
}

func patchRewrite(t *trial) {
	c := t.chain(t.open(), "thread", 2)
	c.add(0)
	for range 4 {
		c.add(1)
	}
	if !has[driver.Rewriter](c.b.inner) {
		return
	}
	for _, i := range []int{0, 2, 3, 4} { // two invisible ones, and both visible ones
		l := &c.versions[i]
		req := driver.RewriteRequest{Key: t.key("thread"), Version: l.Version, ID: l.ID, Now: t.now,
			Payload: fmt.Appendf(nil, "anew\x00%d", i), Encoding: l.Encoding + "+aead", Digest: fmt.Sprint("anew-", i)}
		if err := c.b.Rewrite(t.ctx, req); err != nil {
			t.Fatalf("Rewrite of version %d, of which %d are visible: error %v, want success", l.Version, 2, err)
		}
		l.Payload, l.Encoding, c.digests[i] = req.Payload, req.Encoding, req.Digest
	}
	c.visible(4)
	stale := c.request(1)
	stale.Previous.Digest = "digest-5-thread"
	c.refused("the digest before Rewrite", stale)
	c.add(1)
	c.visible(5)
}

package checkpointtest

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/go-ckpt/checkpoint/driver"
)

// The cases about driver.Patcher. To a backend a patch is a payload, so that those
// under Raw have payloads that are none.
func patchCases() []testCase {
	return []testCase{
		{name: "Raw/Patches/Links", needs: "Patcher", run: patchLinks,
			rule: 8, text: "Load of a patched version brings what it builds on, in order and byte for byte."},
		{name: "Raw/Patches/WrongBase", needs: "Patcher", run: patchWrongBase,
			rule: 4, text: "A patch that was not made against the latest version, by id and digest, is ErrBase and changes nothing."},
		{name: "Raw/Patches/WithoutDigest", needs: "Patcher", run: patchWithoutDigest,
			rule: 4, text: "No patch is taken against a version that was saved without a digest."},
		{name: "Raw/Patches/OneOfManyWins", needs: "Patcher", run: patchRace,
			rule: 4, text: "Of concurrent patches against one version exactly one is saved."},
		{name: "Raw/Patches/Repeated", needs: "Patcher", run: patchRepeated,
			rule: 3, text: "A patch whose id is that of a kept version changes nothing, whatever it was made against."},
		{name: "Raw/Patches/Conditions", needs: "Patcher", run: patchConditions,
			rule: 4, text: "A patch whose condition does not hold is ErrConflict, whatever it was made against."},
		{name: "Raw/Patches/Trimming", needs: "Patcher", run: patchTrimming,
			rule: 6, text: "Wherever in a chain the history ends, visible versions bring all that they need, and nothing else is visible."},
		{name: "Raw/Patches/StayInvisible", needs: "Patcher", run: patchStayInvisible,
			rule: 6, text: "A version that was once invisible stays so when Keep grows."},
		{name: "Raw/Patches/NextLife", needs: "Patcher", run: patchNextLife,
			rule: 5, text: "Nothing of a chain outlives its thread, and an expired thread takes no patch."},
		{name: "Raw/Patches/AnotherLife", needs: "Patcher", run: patchAnotherLife,
			rule: 4, text: "A patch is ErrBase in another life of the thread that began with the same id and digest, where its Base is another version."},
		{name: "Raw/Patches/Known", needs: "Patcher", run: patchKnown,
			rule: 8, text: "A Load leaves out only what the caller has: the version with that id and that digest."},
		{name: "Raw/Patches/Rewrite", needs: "Patcher", run: patchRewrite,
			rule: 6, text: "Rewrite replaces the payload and the digest of a version, visible or needed, and leaves its Base."},
		{name: "Store/Patches/RoundTrip", needs: "Patcher", run: storePatches,
			rule: 8, text: "A store with WithIncremental returns what was saved, through every handle."},
		{name: "Store/Patches/Update", needs: "Patcher", run: storePatchesUpdate,
			rule: 4, text: "Updates of one thread through several handles that save incrementally lose nothing."},
	}
}

func patchLinks(t *trial) {
	c := t.chain(t.open(), "thread", driver.KeepAll)
	c.add(0)
	for range 4 {
		c.add(1)
	}
	c.add(0)
	c.add(6)
	c.visible(1)
	c.b = t.open()
	c.visible(1)
}

func patchKnown(t *trial) {
	c := t.chain(t.open(), "thread", 10)
	for v, base := range []int64{0, 1, 1, 0, 4} {
		c.add(base)
		want, links := c.versions[v], 0
		if base != 0 {
			links = int(want.Version - base)
		}
		for named, known := range map[string]driver.Previous{
			"both":                   {ID: want.ID, Digest: c.digests[v]},
			"another digest":         {ID: want.ID, Digest: "another"},
			"another id":             {ID: "another", Digest: c.digests[v]},
			"an id alone":            {ID: want.ID},
			"the version before":     {ID: c.versions[max(0, v-1)].ID, Digest: c.digests[max(0, v-1)]},
			"the whole state before": {ID: c.versions[max(0, base-1)].ID, Digest: c.digests[max(0, base-1)]},
		} {
			got, err := c.b.Load(t.ctx, driver.LoadRequest{Key: t.key("thread"), Now: t.now, Known: known})
			same := known == driver.Previous{ID: want.ID, Digest: c.digests[v]}
			switch {
			case err != nil || got.ID != want.ID || got.Version != want.Version || got.Base != base || got.Digest != c.digests[v]:
				t.Errorf("Load where %s is known = %s base=%d, %v, want version %d", named, show(got.Info), got.Base, err, want.Version)
			case got.Known && (!same || got.Payload != nil || got.Links != nil):
				t.Errorf("Load where %s is known leaves out version %d, which has another id or digest", named, want.Version)
			case !got.Known && (string(got.Payload) != string(want.Payload) || len(got.Links) != links):
				t.Errorf("Load where %s is known = a payload of %d bytes and %d links, want what was saved", named, len(got.Payload), len(got.Links))
			}
		}
	}
	last := c.versions[4]
	known := driver.Previous{ID: last.ID, Digest: c.digests[4]}
	if _, err := c.b.Load(t.ctx, driver.LoadRequest{Key: t.key("elsewhere"), Now: t.now, Known: known}); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("Load of an absent thread where another one's version is known: error %v, want ErrNotFound", err)
	}
	got, err := c.b.Load(t.ctx, driver.LoadRequest{Key: t.key("thread"), Version: 2, Now: t.now, Known: known})
	if err != nil || got.Known || got.Version != 2 || len(got.Links) != 1 {
		t.Errorf("Load of version 2 where the latest is known = %s, %v, want version 2", show(got.Info), err)
	}
}

func patchWrongBase(t *trial) {
	c := t.chain(t.open(), "thread", 10)
	c.add(0)
	c.add(1)
	c.add(1)
	last := driver.Previous{ID: c.versions[2].ID, Digest: c.digests[2]}
	for what, previous := range map[string]driver.Previous{
		"the version before":         {ID: c.versions[1].ID, Digest: c.digests[1]},
		"another id":                 {ID: c.versions[1].ID, Digest: last.Digest},
		"another digest":             {ID: last.ID, Digest: c.digests[1]},
		"a digest in another case":   {ID: last.ID, Digest: strings.ToUpper(last.Digest)},
		"the beginning of a digest":  {ID: last.ID, Digest: last.Digest[:5]},
		"the id for a digest":        {ID: last.ID, Digest: last.ID},
		"a pattern in place of both": {ID: "%", Digest: "%"},
	} {
		req := c.request(1)
		req.Previous = previous
		c.refused(what, req)
	}
	req := c.request(1)
	req.Thread = "absent"
	c.refused("an absent thread", req)
	t.missing(c.b, "absent", 0, t.now)
	req = c.request(1)
	req.Namespace += "a"
	if _, err := c.b.SavePatch(t.ctx, req); !errors.Is(err, driver.ErrBase) {
		t.Errorf("SavePatch in another namespace: %v, want ErrBase", err)
	}
	c.add(1)
	c.visible(1)
}

func patchWithoutDigest(t *trial) {
	c := t.chain(t.open(), "thread", 10)
	req := c.request(0)
	req.Digest = ""
	t.save(c.b, req.SaveRequest)
	c.saved(req)
	patch := c.request(1)
	patch.Previous.Digest = "some-digest"
	c.refused("a version without a digest", patch)
	if got := t.load(c.b, "thread"); got.Digest != "" || len(got.Links) != 0 {
		t.Errorf("Load of what was saved without a digest: digest %q, %d links, want neither", got.Digest, len(got.Links))
	}
}

func patchRace(t *trial) {
	const savers = 6
	b := t.open()
	c := t.chain(b, "thread", 3)
	c.add(0)
	handles := make([]*handle, savers)
	for i := range handles {
		handles[i] = t.open()
	}
	for rounds := t.rounds(5, 5); rounds.next(); {
		var won, lost atomic.Int64
		winner := make([]driver.PatchRequest, savers)
		rounds.count(t.together(savers, func(i int) {
			req := c.request(1)
			switch _, err := handles[i].SavePatch(t.ctx, req); {
			case err == nil:
				won.Add(1)
				winner[i] = req
			case errors.Is(err, driver.ErrBase):
				lost.Add(1)
			default:
				t.Errorf("SavePatch: error %v, want success or ErrBase", err)
			}
		}))
		if won.Load() != 1 || lost.Load() != savers-1 {
			t.Fatalf("round %d: %d of %d patches against one version were saved, want 1", rounds.begun, won.Load(), savers)
		}
		for _, req := range winner {
			if req.ID != "" {
				c.saved(req)
			}
		}
	}
	c.visible(int64(len(c.versions)) - 2)
}

func patchRepeated(t *trial) {
	c := t.chain(t.open(), "thread", 3)
	c.add(0)
	first := c.request(1)
	info, err := c.b.SavePatch(t.ctx, first)
	if err != nil {
		t.Fatalf("SavePatch: error %v, want success", err)
	}
	c.saved(first)
	for range 2 {
		again := first
		again.Match = driver.Match{Absent: true}
		got, err := c.b.SavePatch(t.ctx, again)
		if err != nil {
			t.Fatalf("SavePatch repeated, with %d versions after it: error %v, want the Info of the first", len(c.versions)-2, err)
		}
		t.same("SavePatch repeated", got, info)
		if got := t.save(c.b, again.SaveRequest); got.Version != info.Version || got.Base != info.Base {
			t.Errorf("Save with the id of a patch = %s, want that of the patch", show(got))
		}
		c.add(1)
	}
	c.visible(2)
	c.add(1)
	c.add(1)
	// Invisible by now, though it is still needed: an ordinary save.
	late := c.request(1)
	late.ID = first.ID
	if got, err := c.b.SavePatch(t.ctx, late); err != nil || got.Version != 7 {
		t.Errorf("SavePatch with the id of an invisible version = %s, %v, want version 7", show(got), err)
	}
}

func patchConditions(t *trial) {
	c := t.chain(t.open(), "thread", 5)
	c.add(0)
	c.add(1)
	for what, match := range map[string]driver.Match{
		"Absent":          {Absent: true},
		"another id":      {ID: c.versions[0].ID},
		"another version": {Version: 1},
	} {
		for _, right := range []bool{true, false} {
			req := c.request(1)
			req.Match = match
			if !right {
				req.Previous.Digest = "another"
			}
			_, err := c.b.SavePatch(t.ctx, req)
			conflict, ok := errors.AsType[*driver.ConflictError](err)
			if !ok || conflict.Current.Version != 2 {
				t.Errorf("SavePatch on the condition of %s, its base right: %t: %v, want a *driver.ConflictError with version 2", what, right, err)
			}
		}
	}
	for _, match := range []driver.Match{{ID: c.versions[1].ID}, {Version: 3}, {Exists: true}} {
		req := c.request(1)
		req.Match = match
		if _, err := c.b.SavePatch(t.ctx, req); err != nil {
			t.Fatalf("SavePatch on a condition that holds: error %v", err)
		}
		c.saved(req)
	}
	c.visible(1)
}

func patchTrimming(t *trial) {
	b := t.open()
	for _, keep := range []int{1, 2, 3, 5} {
		c := t.chain(b, fmt.Sprintf("thread keeping %d", keep), keep)
		for i, base := range []int64{0, 1, 1, 1, 0, 0, 6, 6, 6, 6, 0, 11} {
			c.add(base)
			c.visible(max(1, int64(i+2-keep)))
		}
	}
}

func patchStayInvisible(t *trial) {
	c := t.chain(t.open(), "thread", 2)
	c.add(0)
	c.add(1)
	c.add(1)
	c.add(1)
	c.visible(3)
	c.keep = 10
	c.add(1)
	c.visible(3)
	c.add(0)
	c.visible(3)
	c.keep = 1
	c.add(6)
	c.keep = driver.KeepAll
	c.add(6)
	c.visible(7)
}

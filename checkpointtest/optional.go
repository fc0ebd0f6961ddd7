package checkpointtest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// The cases about driver.Purger, driver.NamespaceLister and driver.Rewriter;
// those about driver.Importer are in importing.go.
func optionalCases() []testCase {
	return []testCase{
		{name: "Raw/Purge/Expired", needs: "Purger", run: purgeExpired,
			rule: 5, text: "Purge removes every thread of the namespace that has expired by now, with all its versions, and returns how many."},
		{name: "Raw/Purge/LiveStay", needs: "Purger", run: purgeLiveStay,
			rule: 5, text: "Purge removes no live thread, also when older versions of it have expired."},
		{name: "Raw/Purge/Many", needs: "Purger", run: purgeMany,
			rule: 5, text: "Purge removes every expired thread, however many there are."},
		{name: "Raw/Purge/WhileSaving", needs: "Purger", run: purgeWhileSaving,
			rule: 5, text: "Purge does not remove a thread that was saved again meanwhile."},
		{name: "Raw/Namespaces/EachOnce", needs: "NamespaceLister", run: namespacesEachOnce,
			rule: 10, text: "Namespaces yields each namespace with a live thread once, in ascending byte order."},
		{name: "Raw/Namespaces/Many", needs: "NamespaceLister", run: namespacesMany,
			rule: 10, text: "Namespaces yields every namespace, however many there are."},
		{name: "Raw/Namespaces/LoopBody", needs: "NamespaceLister", run: namespacesLoopBody,
			rule: 7, text: "The body of a loop over Namespaces may call any method of the backend, and may end the loop."},
		{name: "Raw/Rewrite/Payload", needs: "Rewriter", run: rewritePayload,
			rule: 2, text: "Rewrite replaces payload, encoding and size of one version, and changes nothing else."},
		{name: "Raw/Rewrite/Missing", needs: "Rewriter", run: rewriteMissing,
			rule: 2, text: "Rewrite of a version that the live thread does not keep under that id is ErrNotFound and changes nothing."},
		{name: "Raw/Rewrite/WhileSaving", needs: "Rewriter", run: rewriteWhileSaving,
			rule: 2, text: "Rewrite beside saves loses none of them, and a Load returns the old payload or the new one."},
	}
}

func (t *trial) purge(b *handle, now time.Time) int64 {
	n, err := b.Purge(t.ctx, t.namespace, now)
	if err != nil {
		t.Fatalf("Purge: error %v, want nil", err)
	}
	return n
}

func purgeExpired(t *trial) {
	b := t.open()
	if got := t.purge(b, t.now); got != 0 {
		t.Errorf("Purge of an empty namespace returned %d, want 0", got)
	}
	for i := range 4 {
		for range 3 {
			req := t.request(fmt.Sprint("expires in hour ", i+1))
			req.Keep = 2
			req.ExpiresAt = t.now.Add(time.Duration(i+1) * time.Hour)
			t.save(b, req)
		}
	}
	t.save(b, t.request("stays"))
	for _, step := range []struct {
		after time.Duration
		want  int64
	}{
		{time.Hour - time.Microsecond, 0},
		{time.Hour, 1},
		{time.Hour, 0},
		{3 * time.Hour, 2},
		{1000 * time.Hour, 1},
		{1000 * time.Hour, 0},
	} {
		if got := t.purge(b, t.now.Add(step.after)); got != step.want {
			t.Errorf("Purge %v later returned %d, want %d", step.after, got, step.want)
		}
		// What is left of the purged threads would be seen by an earlier time.
		for i := range 4 {
			if thread := fmt.Sprint("expires in hour ", i+1); step.after >= time.Duration(i+1)*time.Hour {
				for version := range int64(4) {
					t.missing(b, thread, version, t.now)
				}
				t.versions(b, thread)
			}
		}
	}
	t.names(b, driver.ListRequest{}, "stays")
}

func purgeLiveStay(t *trial) {
	b := t.open()
	later := t.now.Add(10 * time.Hour)
	extended := t.mortal(b, "extended") // in an hour; then
	extended.ID, extended.ExpiresAt = rand.Text(), later.Add(time.Microsecond)
	extended.Keep = 3
	t.save(b, extended)
	immortal := t.mortal(b, "immortal")
	immortal.ID, immortal.ExpiresAt = rand.Text(), time.Time{}
	immortal.Keep = 3
	t.save(b, immortal)
	t.save(b, t.request("never"))
	b.Purge(t.ctx, t.namespace, later) // the number is the business of another case
	t.names(b, driver.ListRequest{Now: later}, "extended", "immortal", "never")
	t.versions(b, "extended", 3, 2, 1)
	t.versions(b, "immortal", 3, 2, 1)
	for version := int64(1); version <= 3; version++ {
		t.loadVersion(b, "extended", version, later)
		t.loadVersion(b, "immortal", version, later)
	}
}

func purgeMany(t *trial) {
	const threads, writers = 700, 8
	b := t.open()
	t.together(writers, func(w int) {
		for i := w; i < threads; i += writers {
			req := t.request(fmt.Sprintf("thread-%04d", i))
			if i%7 != 0 {
				req.ExpiresAt = t.now.Add(time.Hour)
			}
			if _, err := b.Save(t.ctx, req); err != nil {
				t.Errorf("Save: %v", err)
				return
			}
		}
	})
	if got, want := t.purge(b, t.now.Add(time.Hour)), int64(600); got != want && len(t.listed(b, driver.ListRequest{})) != 100 {
		t.Errorf("Purge of %d expired threads among %d returned %d", want, threads, got)
	}
	if got := len(t.listed(b, driver.ListRequest{})); got != 100 {
		t.Errorf("after Purge List yields %d threads, want the 100 that do not expire", got)
	}
}

func purgeWhileSaving(t *trial) {
	const rounds, threads = 10, 8
	b, purger := t.open(), t.open()
	later := t.now.Add(2 * time.Hour)
	for round := range rounds {
		t.together(threads, func(i int) {
			req := t.request(fmt.Sprint("thread-", i))
			req.ExpiresAt = t.now.Add(time.Hour)
			if _, err := b.Save(t.ctx, req); err != nil {
				t.Errorf("Save: %v", err)
			}
		})
		saved := make([]driver.Info, threads)
		t.together(threads+1, func(i int) {
			if i == threads {
				if _, err := purger.Purge(t.ctx, t.namespace, later); err != nil {
					t.Errorf("Purge: %v", err)
				}
				return
			}
			req := t.request(fmt.Sprint("thread-", i))
			req.Now = later
			info, err := b.Save(t.ctx, req)
			if err != nil {
				t.Errorf("Save: %v", err)
			}
			saved[i] = info
		})
		for i, info := range saved {
			c, err := b.Load(t.ctx, driver.LoadRequest{Key: t.key(fmt.Sprint("thread-", i)), Now: later})
			if err != nil || c.ID != info.ID || c.Version != 1 {
				t.Fatalf("round %d: after Save beside Purge Load = %s, %v, want version 1 with id %s", round, show(c.Info), err, info.ID)
			}
			t.remove(b, info.Thread)
		}
	}
}

func namespacesEachOnce(t *trial) {
	b := t.open()
	t.everywhere(b, nil)
	for _, thread := range numbered("thread", 20) {
		t.save(b, t.request(thread))
	}
	want := t.walls()
	slices.Sort(want)
	var got, all []string
	for ns, err := range b.Namespaces(t.ctx) {
		if err != nil {
			t.Fatalf("Namespaces yielded error %v", err)
		}
		all = append(all, ns)
		if slices.Contains(want, ns) { // there may be others, of other users of the database
			got = append(got, ns)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("Namespaces yielded, of the suite's, %q, want %q", got, want)
	}
	if !slices.IsSorted(all) {
		t.Errorf("Namespaces yielded %q, want ascending byte order", all)
	}
}

func namespacesMany(t *trial) {
	b := t.open()
	want := numbered(t.namespace, 120)
	for i, began := 0, time.Now(); i < len(want); i++ {
		if i >= 20 && time.Since(began) > time.Second {
			t.note("tried with %d namespaces and not %d", i, len(want))
			want = want[:i]
			break
		}
		req := t.request("thread")
		req.Namespace = want[i]
		t.save(b, req)
	}
	var got []string
	for ns, err := range b.Namespaces(t.ctx) {
		if err != nil {
			t.Fatalf("Namespaces yielded error %v", err)
		}
		if strings.HasPrefix(ns, t.namespace) {
			got = append(got, ns)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("Namespaces yielded, of the suite's, %s", diffNames(got, want))
	}
}

func namespacesLoopBody(t *trial) {
	b := t.open()
	t.save(b, t.request("thread"))
	n := 0
	for _, err := range b.Namespaces(t.ctx) {
		if err != nil {
			t.Fatalf("Namespaces yielded error %v", err)
		}
		if n++; n > 3 { // there may be many
			break
		}
		t.anything(b, "new")
	}
	for range 50 {
		for range b.Namespaces(t.ctx) {
			break
		}
	}
	t.save(b, t.request("after"))
}

// rewrite is a request to replace a checkpoint's payload.
func (t *trial) rewrite(of driver.Info, payload string) driver.RewriteRequest {
	return driver.RewriteRequest{Key: of.Key, Version: of.Version, ID: of.ID, Payload: []byte(payload), Encoding: "json+aead", Now: t.now}
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

func rewriteWhileSaving(t *trial) {
	b, other := t.open(), t.open()
	const keep = 3
	t.grow(b, "thread", keep, keep)
	latest := driver.LoadRequest{Key: t.key("thread"), Now: t.now}
	saves := t.beside(func(int) bool {
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

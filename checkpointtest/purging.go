package checkpointtest

import (
	"crypto/rand"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// The cases about driver.Purger.
func purgeCases() []testCase {
	return []testCase{
		{name: "Raw/Purge/Expired", needs: "Purger", run: purgeExpired,
			rule: 5, text: "Purge removes every thread of the namespace that has expired by now, with all its versions, and returns how many."},
		{name: "Raw/Purge/LiveStay", needs: "Purger", run: purgeLiveStay,
			rule: 5, text: "Purge removes no live thread, also when older versions of it have expired."},
		{name: "Raw/Purge/Many", needs: "Purger", heavy: true, run: purgeMany,
			rule: 5, text: "Purge removes every expired thread, however many there are."},
		{name: "Raw/Purge/WhileSaving", needs: "Purger", heavy: true, run: purgeWhileSaving,
			rule: 5, text: "Purge does not remove a thread that was saved again meanwhile."},
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
	b := t.open()
	stays := func(thread string) bool { return strings.HasSuffix(thread, "7") }
	threads := t.populateMany(b, func(req *driver.SaveRequest) {
		if !stays(req.Thread) {
			req.ExpiresAt = t.now.Add(time.Hour)
		}
	}, numbered("thread", 660)...)
	stay := sorted(threads, stays)
	if got, want := t.purge(b, t.now.Add(time.Hour)), int64(len(threads)-len(stay)); got != want && len(t.listed(b, driver.ListRequest{})) != len(stay) {
		t.Errorf("Purge of %d expired threads among %d returned %d", want, len(threads), got)
	}
	if got := len(t.listed(b, driver.ListRequest{})); got != len(stay) {
		t.Errorf("after Purge List yields %d threads, want the %d that do not expire", got, len(stay))
	}
}

func purgeWhileSaving(t *trial) {
	const rounds, threads = 20, 8
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
		var saving atomic.Int64
		saving.Store(threads)
		t.together(threads+1, func(i int) {
			if i == threads {
				for more := true; more; more = saving.Load() > 0 {
					if _, err := purger.Purge(t.ctx, t.namespace, later); err != nil {
						t.Errorf("Purge: %v", err)
						return
					}
				}
				return
			}
			defer saving.Add(-1)
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

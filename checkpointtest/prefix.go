package checkpointtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// The cases about driver.PrefixDeleter.
func prefixCases() []testCase {
	return []testCase{
		{name: "Raw/DeletePrefix/Inside", needs: "PrefixDeleter", heavy: true, run: prefixInside,
			rule: 10, text: "DeletePrefix removes the threads whose name starts with the prefix, with all their versions, and returns how many; no other."},
		{name: "Raw/DeletePrefix/IsNoPattern", needs: "PrefixDeleter", heavy: true, run: prefixIsNoPattern,
			rule: 7, text: "The prefix of DeletePrefix is a byte string, never a pattern, and may be what no thread is called."},
		{name: "Raw/DeletePrefix/Expired", needs: "PrefixDeleter", run: prefixExpired,
			rule: 5, text: "Threads under the prefix that have expired go too, and are not counted."},
		{name: "Raw/DeletePrefix/Many", needs: "PrefixDeleter", heavy: true, run: prefixMany,
			rule: 10, text: "DeletePrefix removes every thread under the prefix, however many there are."},
		{name: "Raw/DeletePrefix/Walls", needs: "PrefixDeleter", run: prefixWalls,
			rule: 10, text: "DeletePrefix removes nothing in another namespace."},
		{name: "Raw/DeletePrefix/WhileSaving", needs: "PrefixDeleter", heavy: true, run: prefixWhileSaving,
			rule: 2, text: "Beside DeletePrefix saves outside of the prefix are untouched, and a thread inside is whole or absent."},
		{name: "Raw/DeletePrefix/Interrupted", needs: "PrefixDeleter", run: prefixInterrupted,
			rule: 2, text: "An interrupted DeletePrefix leaves every thread whole or absent, counts no thread twice, and can be run again."},
	}
}

// deletePrefix removes threads, or ends the case.
func (t *trial) deletePrefix(b *handle, prefix string, now time.Time) int64 {
	n, err := b.DeletePrefix(t.ctx, driver.DeletePrefixRequest{Namespace: t.namespace, Prefix: prefix, Now: now})
	if err != nil {
		t.Fatalf("DeletePrefix(%q): error %v, want success", prefix, err)
	}
	return n
}

func prefixInside(t *trial) {
	b := t.open()
	threads := []string{"user", "user-", "user-1", "user-1-a", "user-10", "user-2", "User-1", "users", "use", "user.", "ü-1", "\U0010ffff", "a user-1"}
	gone := threads
	for _, prefix := range []string{"user-1", "user-", "user", "ü", "\U0010ffff", "a", "nothing here", "U"} {
		for _, thread := range gone {
			t.grow(b, thread, 2, 2)
		}
		gone = nil
		outside := func(s string) bool { return !strings.HasPrefix(s, prefix) }
		left := sorted(threads, outside)
		if got, want := t.deletePrefix(b, prefix, t.now), int64(len(threads)-len(left)); got != want {
			t.Errorf("DeletePrefix(%q) returned %d, want %d", prefix, got, want)
		}
		t.nameSet(b, driver.ListRequest{}, left)
		for _, thread := range threads {
			if outside(thread) {
				t.versions(b, thread, 2, 1)
				continue
			}
			for version := range int64(3) {
				t.missing(b, thread, version, t.now)
			}
			gone = append(gone, thread)
		}
	}
}

func prefixIsNoPattern(t *trial) {
	b := t.open()
	threads := slices.Compact(sorted(patterns, everything))
	prefixes := append(slices.Clone(threads), "\x00", "a\x00", "\xff", "\xc3", "a\xff", strings.Repeat("n", 600))
	t.populate(b, threads...)
	for _, prefix := range prefixes {
		inside := sorted(threads, func(s string) bool { return strings.HasPrefix(s, prefix) })
		if got := t.deletePrefix(b, prefix, t.now); got != int64(len(inside)) {
			t.Errorf("DeletePrefix(%.20q) returned %d, want %d", prefix, got, len(inside))
		}
		t.nameSet(b, driver.ListRequest{}, sorted(threads, func(s string) bool { return !strings.HasPrefix(s, prefix) }))
		t.populate(b, inside...)
	}
}

func prefixExpired(t *trial) {
	b := t.open()
	mortal := t.mortal(b, "in: expires")
	t.mortal(b, "out: expires")
	t.grow(b, "in: stays", 1, 1)
	if got := t.deletePrefix(b, "in:", mortal.ExpiresAt); got != 1 {
		t.Errorf("DeletePrefix of a live thread and an expired one returned %d, want 1", got)
	}
	// What is left of the expired one would be seen by an earlier time.
	for version := range int64(3) {
		t.missing(b, "in: expires", version, t.now)
	}
	t.versions(b, "out: expires", 2, 1)
}

func prefixMany(t *trial) {
	b := t.open()
	inside := t.populateMany(b, nil, numbered("in", 600)...)
	outside := append(numbered("im", 20), numbered("io", 20)...)
	t.populate(b, outside...)
	if got := t.deletePrefix(b, "in-", t.now); got != int64(len(inside)) {
		t.Errorf("DeletePrefix of %d threads returned %d", len(inside), got)
	}
	t.names(b, driver.ListRequest{}, outside...)
	if got := t.deletePrefix(b, "in-", t.now); got != 0 {
		t.Errorf("DeletePrefix of what is gone returned %d, want 0", got)
	}
}

func prefixWalls(t *trial) {
	b := t.open()
	infos := t.everywhere(b, nil)
	t.deletePrefix(b, "t", t.now)
	delete(infos, t.namespace)
	for ns, want := range infos {
		c, err := b.Load(t.ctx, driver.LoadRequest{Key: driver.Key{Namespace: ns, Thread: "thread"}, Now: t.now})
		if err != nil || c.ID != want.ID {
			t.Errorf("after DeletePrefix in %q Load in %q = %s, %v, want id %s", t.namespace, ns, show(c.Info), err, want.ID)
		}
	}
}

// whole checks that a thread is absent, or there with all that its history lists.
func (t *trial) whole(b driver.Backend, thread string) {
	history := t.historyOf(b, thread)
	if len(history) == 0 {
		t.missing(b, thread, 0, t.now)
		return
	}
	if got := versionsOf(history); !slices.Equal(got, down(got[0], got[len(got)-1])) {
		t.Errorf("History(%q) yields versions %d, want no gaps", thread, got)
	}
	for _, info := range history {
		t.loadVersion(b, thread, info.Version, t.now)
	}
}

func prefixWhileSaving(t *trial) {
	b, other := t.open(), t.open()
	inside, outside := numbered("in", 8), []string{"im", "io", "in"}
	var count [3]atomic.Int64
	for i, thread := range outside { // the first DeletePrefix that takes one of them is seen in its version
		t.grow(b, thread, 1, 3)
		count[i].Store(1)
	}
	t.beside(func(int) bool {
		_, err := other.DeletePrefix(t.ctx, driver.DeletePrefixRequest{Namespace: t.namespace, Prefix: "in-", Now: t.now})
		if err != nil {
			t.Errorf("DeletePrefix beside saves: error %v, want success", err)
		}
		return err == nil
	}, func() bool {
		for i, thread := range outside {
			req := t.request(thread)
			req.Keep = 3
			info, err := b.Save(t.ctx, req)
			if want := count[i].Add(1); err != nil || info.Version != want {
				t.Errorf("Save of %q, which is outside of the prefix, = %s, %v, want version %d", thread, show(info), err, want)
				return false
			}
		}
		return true
	}, func() bool {
		for _, thread := range inside {
			req := t.request(thread)
			req.Keep = 3
			if _, err := b.Save(t.ctx, req); err != nil {
				t.Errorf("Save beside DeletePrefix: error %v, want success", err)
				return false
			}
		}
		return true
	})
	for i, thread := range outside {
		t.versions(b, thread, down(count[i].Load(), max(1, count[i].Load()-2))...)
	}
	for _, thread := range inside {
		t.whole(b, thread)
	}
}

func prefixInterrupted(t *trial) {
	b := t.open()
	threads := numbered("in", t.often(120, 40))
	t.populate(b, threads...)
	t.save(b, t.request("outside"))
	removed := int64(0)
	for round := range 12 {
		ctx, cancel := context.WithCancel(t.ctx)
		if round == 0 {
			cancel()
		}
		timer := time.AfterFunc(time.Duration(round*round)*30*time.Microsecond, cancel)
		n, err := b.DeletePrefix(ctx, driver.DeletePrefixRequest{Namespace: t.namespace, Prefix: "in-", Now: t.now})
		timer.Stop()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("DeletePrefix whose context was cancelled: error %v, want none or one that matches context.Canceled", err)
		}
		cancel()
		removed += n
		// What went with a batch whose answer was lost is gone and not counted.
		if left := int64(len(t.listed(b, driver.ListRequest{Prefix: "in-"}))); removed+left > int64(len(threads)) {
			t.Fatalf("%s threads: %d were counted as removed and %d are left", fmt.Sprint(len(threads)), removed, left)
		}
	}
	for _, thread := range threads {
		t.whole(b, thread)
	}
	t.deletePrefix(b, "in-", t.now)
	t.names(b, driver.ListRequest{}, "outside")
}

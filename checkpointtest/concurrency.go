package checkpointtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

func concurrencyCases() []testCase {
	return []testCase{
		{name: "Raw/Concurrency/OneThread", run: concurrencyOneThread,
			rule: 1, text: "Concurrent saves of one thread take versions without gaps, each its own."},
		{name: "Raw/Concurrency/ManyThreads", run: concurrencyManyThreads,
			rule: 12, text: "A backend is safe for concurrent use."},
		{name: "Raw/Concurrency/ReadersGoForward", run: concurrencyReaders,
			rule: 1, text: "A reader never sees an older checkpoint after a newer one."},
		{name: "Raw/Concurrency/DeleteAndSave", run: concurrencyDeleteAndSave,
			rule: 2, text: "Delete beside saves leaves the thread absent, or a new life that is whole."},
		{name: "Raw/Concurrency/AbandonedLoops", alone: true, run: concurrencyAbandoned,
			rule: 12, text: "A loop that is ended half-way leaves no goroutine behind, also before Close."},
		{name: "Raw/Concurrency/Goroutines", alone: true, run: concurrencyGoroutines,
			rule: 12, text: "A backend leaves no goroutine behind after Close."},
	}
}

func concurrencyOneThread(t *trial) {
	const writers = 8
	saves := t.often(12, 4)
	handles := []*handle{t.open(), t.open()}
	acknowledged := make([][]driver.Info, writers)
	t.together(writers, func(w int) {
		for range saves {
			req := t.request("thread")
			req.Keep = 1000
			info, err := handles[w%2].Save(t.ctx, req)
			if err != nil || info.ID != req.ID {
				t.Errorf("Save = %s, %v, want success with id %s", show(info), err, req.ID)
				return
			}
			acknowledged[w] = append(acknowledged[w], info)
		}
	})
	ids := make(map[int64]string)
	for _, infos := range acknowledged {
		if !slices.IsSortedFunc(infos, func(a, b driver.Info) int { return int(a.Version - b.Version) }) {
			t.Errorf("one writer's saves took the versions %d, want them to grow", versionsOf(infos))
		}
		for _, info := range infos {
			if other, taken := ids[info.Version]; taken {
				t.Errorf("version %d was acknowledged to two saves, %s and %s", info.Version, other, info.ID)
			}
			ids[info.Version] = info.ID
		}
	}
	total := writers * saves
	history := t.historyOf(handles[0], "thread")
	if got := versionsOf(history); !slices.Equal(got, down(int64(total), 1)) {
		t.Fatalf("after %d saves History yielded versions %d, want %d to 1", total, got, total)
	}
	for _, info := range history {
		if ids[info.Version] != info.ID {
			t.Errorf("version %d has id %s, acknowledged was %s", info.Version, info.ID, ids[info.Version])
		}
	}
}

func concurrencyManyThreads(t *trial) {
	b := t.open()
	callers := t.often(16, 5)
	t.together(callers, func(w int) {
		for n := range 6 {
			thread := fmt.Sprintf("thread-%d-%d", w, n)
			req := t.request(thread)
			req.Encoding = "bytes"
			req.Payload = []byte(thread)
			if _, err := b.Save(t.ctx, req); err != nil {
				t.Errorf("Save: %v", err)
			}
			c, err := b.Load(t.ctx, driver.LoadRequest{Key: req.Key, Now: t.now})
			if err != nil || string(c.Payload) != thread || c.ID != req.ID {
				t.Errorf("Load(%q) = %s %q, %v", thread, show(c.Info), c.Payload, err)
			}
			for _, err := range b.List(t.ctx, driver.ListRequest{Namespace: t.namespace, After: thread, Limit: 3, Now: t.now}) {
				if err != nil {
					t.Errorf("List: %v", err)
				}
			}
			if n%2 == 1 {
				if err := b.Delete(t.ctx, driver.DeleteRequest{Key: req.Key}); err != nil {
					t.Errorf("Delete: %v", err)
				}
			}
		}
	})
	if got := len(t.listed(b, driver.ListRequest{})); got != callers*3 {
		t.Errorf("List yielded %d threads, want %d", got, callers*3)
	}
}

func concurrencyReaders(t *trial) {
	writer := t.open()
	var saved atomic.Int64 // the latest version that was acknowledged
	save := func(int) bool {
		info, err := writer.Save(t.ctx, t.request("thread"))
		if err != nil {
			t.Errorf("Save: %v", err)
			return false
		}
		saved.Store(info.Version)
		return true
	}
	save(0)
	var reads []func() bool
	for range 3 {
		reader, seen := t.open(), int64(1)
		reads = append(reads, func() bool {
			floor := max(seen, saved.Load())
			c, err := reader.Load(t.ctx, driver.LoadRequest{Key: t.key("thread"), Now: t.now})
			if err != nil || c.Version < floor {
				t.Errorf("Load = version %d, %v; version %d had been acknowledged or seen before", c.Version, err, floor)
				return false
			}
			seen = c.Version
			return true
		})
	}
	t.beside(save, reads...)
}

func concurrencyDeleteAndSave(t *trial) {
	b, other := t.open(), t.open()
	t.missing(other, "thread", 0, t.now)
	for round := range t.often(12, 4) {
		t.grow(b, "thread", 3, 5)
		t.together(4, func(i int) {
			var err error
			if i == 0 {
				err = other.Delete(t.ctx, driver.DeleteRequest{Key: t.key("thread")})
			} else {
				req := t.request("thread")
				req.Keep = 5
				_, err = []driver.Backend{b, other}[i%2].Save(t.ctx, req)
			}
			if err != nil {
				t.Errorf("round %d: a Delete or Save at once: %v", round, err)
			}
		})
		history := t.historyOf(b, "thread")
		listed := t.listed(b, driver.ListRequest{})
		if len(history) == 0 {
			t.missing(b, "thread", 0, t.now)
			if len(listed) != 0 {
				t.Errorf("round %d: the thread is absent and List yields %s", round, show(listed[0]))
			}
			continue
		}
		// What is there is one life: from version 1 on, since 5 are kept and at
		// most 3 saves came after Delete.
		if got := versionsOf(history); !slices.Equal(got, down(int64(len(got)), 1)) || len(got) > 3 {
			t.Errorf("round %d: after Delete and 3 saves at once History yields versions %d, want 1 to at most 3", round, got)
		}
		for _, info := range history {
			t.loadVersion(b, "thread", info.Version, t.now)
		}
		if len(listed) != 1 || listed[0].ID != history[0].ID {
			t.Errorf("round %d: List yields %d threads, want the one at %s", round, len(listed), show(history[0]))
		}
		t.remove(b, "thread")
	}
}

// concurrencyGoroutines opens, uses and closes many handles under a label that
// every goroutine passes on to those it starts. A few that stay may belong to
// something that all handles share; as many as there were handles do not.
func concurrencyGoroutines(t *trial) {
	const key = "checkpointtest"
	handles := t.often(12, 5)
	label := rand.Text()
	pprof.Do(t.ctx, pprof.Labels(key, label), func(context.Context) {
		defer t.scope()()
		for i := range handles {
			t.useAndClose(fmt.Sprint("thread-", i))
		}
	})
	if left := t.goroutinesLeft(fmt.Sprintf("%q:%q", key, label), handles); len(left) > 0 {
		t.Errorf("after %d handles were opened, used and closed %d goroutines are left, among them\n%s", handles, len(left), left[0])
	}
}

// goroutinesLeft waits until there are fewer than most goroutines with a label, which
// may take a moment, and returns those that stay.
func (t *trial) goroutinesLeft(label string, most int) []string {
	var left []string
	for wait := time.Millisecond; wait < 4*time.Second; wait *= 2 {
		if left = goroutines(label); len(left) < most {
			return nil
		}
		time.Sleep(wait)
	}
	return left
}

func concurrencyAbandoned(t *trial) {
	const loops, key = 25, "checkpointtest"
	b := t.open()
	t.log(b, "thread", 5, 5)
	t.populate(b, numbered("other", 20)...)
	label := rand.Text()
	pprof.Do(t.ctx, pprof.Labels(key, label), func(ctx context.Context) {
		for range loops {
			for range b.List(ctx, driver.ListRequest{Namespace: t.namespace, Now: t.now}) {
				break
			}
			for range b.History(ctx, driver.HistoryRequest{Key: t.key("thread"), Now: t.now}) {
				break
			}
			for range b.Versions(ctx, driver.VersionsRequest{Key: t.key("thread"), Now: t.now}) {
				break
			}
			for range b.Namespaces(ctx) {
				break
			}
		}
	})
	if left := t.goroutinesLeft(fmt.Sprintf("%q:%q", key, label), loops); len(left) > 0 {
		t.Errorf("after %d loops of each kind were ended half-way %d goroutines are left, among them\n%s", loops, len(left), left[0])
	}
}

// useAndClose opens a handle, uses it from several goroutines and closes it.
func (t *trial) useAndClose(thread string) {
	b := t.open()
	t.together(4, func(i int) {
		thread := fmt.Sprint(thread, "-", i)
		if _, err := b.Save(t.ctx, t.request(thread)); err != nil {
			t.Errorf("Save: %v", err)
		}
		if _, err := b.Load(t.ctx, driver.LoadRequest{Key: t.key(thread), Now: t.now}); err != nil {
			t.Errorf("Load: %v", err)
		}
		for _, err := range b.List(t.ctx, driver.ListRequest{Namespace: t.namespace, Now: t.now}) {
			if err != nil {
				t.Errorf("List: %v", err)
			}
		}
	})
	if err := b.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// goroutines returns the stacks of the goroutines that carry a label, each as
// often as there are goroutines with it.
func goroutines(label string) []string {
	var profile strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return nil
	}
	_, records, _ := strings.Cut(profile.String(), "\n") // behind the line with the total
	var stacks []string
	for record := range strings.SplitSeq(records, "\n\n") {
		if strings.Contains(record, label) {
			n, _, _ := strings.Cut(record, " ")
			count, _ := strconv.Atoi(n)
			stacks = append(stacks, slices.Repeat([]string{record}, count)...)
		}
	}
	return stacks
}

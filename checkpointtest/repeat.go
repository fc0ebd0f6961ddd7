package checkpointtest

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

func repeatCases() []testCase {
	return []testCase{
		{name: "Raw/Repeat/Latest", run: repeatLatest,
			rule: 3, text: "A save whose id is that of the latest version changes nothing and returns that version's Info."},
		{name: "Raw/Repeat/OlderKept", run: repeatOlderKept,
			rule: 3, text: "A save whose id is that of an older version that is kept changes nothing and returns that version's Info."},
		{name: "Raw/Repeat/WithCondition", run: repeatWithCondition,
			rule: 3, text: "A repeated save is no conflict, whatever its condition says now."},
		{name: "Raw/Repeat/AfterTrimming", run: repeatAfterTrimming,
			rule: 3, text: "An id that history has dropped makes an ordinary save."},
		{name: "Raw/Repeat/OnAnotherHandle", run: repeatOnAnotherHandle,
			rule: 3, text: "An id that history has dropped makes an ordinary save on any handle, and one that knew it from before sees a later version."},
		{name: "Raw/Repeat/AfterDeletion", run: repeatAfterDeletion,
			rule: 3, text: "An id of a deleted thread makes an ordinary save."},
		{name: "Raw/Repeat/AfterExpiry", run: repeatAfterExpiry,
			rule: 3, text: "An id of an expired life makes an ordinary save."},
		{name: "Raw/Repeat/OtherThread", run: repeatOtherThread,
			rule: 3, text: "An id that another thread has makes an ordinary save."},
		{name: "Raw/Repeat/SimilarIDs", run: repeatSimilarIDs,
			rule: 3, text: "Ids are compared byte by byte and whole, up to 64 printable ASCII bytes."},
	}
}

// repeatLatest repeats a save one after the other and, since a pool may do it,
// many at once.
func repeatLatest(t *trial) {
	b, other := t.open(), t.open()
	req := t.request("thread")
	req.Keep = 5
	first := t.save(b, req)
	again := req
	again.Payload = []byte(`{"step":"another"}`)
	again.Now = t.now.Add(time.Minute)
	again.Metadata = map[string]string{"repeated": "yes"}
	again.Keep = 1
	got := t.save(other, again)
	if got.ID != first.ID || got.Version != 1 || !got.SavedAt.Equal(first.SavedAt) {
		t.Fatalf("the repeated Save returned %s, want the first one's %s", show(got), show(first))
	}
	if c := t.load(b, "thread"); diffJSON(c.Payload, req.Payload) != "" {
		t.Fatalf("after the repeated Save the payload is %q, want the first one's %q", c.Payload, req.Payload)
	}
	t.versions(b, "thread", 1)

	// A lost reply: the same save again and again, at once, on two handles.
	req = t.request("thread")
	req.Keep = 5
	results := make([]driver.Info, 8)
	t.together(len(results), func(i int) {
		info, err := []driver.Backend{b, other}[i%2].Save(t.ctx, req)
		if err != nil {
			t.Errorf("one of 8 equal saves at once: error %v, want nil", err)
		}
		results[i] = info
	})
	for _, got := range results {
		if got.Version != 2 || got.ID != req.ID {
			t.Errorf("one of 8 equal saves at once returned %s, want version 2 with id %s", show(got), req.ID)
		}
	}
	t.versions(b, "thread", 2, 1)
}

func repeatOlderKept(t *trial) {
	b := t.open()
	var reqs []driver.SaveRequest
	for range 4 {
		req := t.request("thread")
		req.Keep = 3
		t.save(b, req)
		reqs = append(reqs, req)
	}
	for version := int64(2); version <= 3; version++ {
		req := reqs[version-1]
		req.Now = t.now.Add(time.Minute)
		if got := t.save(b, req); got.Version != version || got.ID != req.ID {
			t.Errorf("the repeated Save returned %s, want version %d with id %s", show(got), version, req.ID)
		}
	}
	t.latest(b, "thread", 4, reqs[3].ID)
	t.versions(b, "thread", 4, 3, 2)
}

func repeatWithCondition(t *trial) {
	b := t.open()
	first := t.request("thread")
	first.Keep = 5
	first.Match = driver.Match{Absent: true}
	t.save(b, first)
	second := t.request("thread")
	second.Keep = 5
	second.Match = driver.Match{ID: first.ID}
	t.save(b, second)
	for version, req := range map[int64]driver.SaveRequest{1: first, 2: second} {
		for _, match := range []driver.Match{req.Match, {Absent: true}, {ID: "never-there"}, {ID: req.ID}, {Version: 7}, {Exists: true}} {
			req.Match = match
			got, err := b.Save(t.ctx, req)
			if err != nil || got.Version != version || got.ID != req.ID {
				t.Errorf("repeated Save with Match %+v = %s, %v, want version %d with id %s", match, show(got), err, version, req.ID)
			}
		}
	}
}

func repeatAfterTrimming(t *trial) {
	b := t.open()
	first := t.request("thread")
	t.save(b, first)
	t.save(b, t.request("thread")) // keeps 1, so the first id is gone
	if got := t.save(b, first); got.Version != 3 || got.ID != first.ID {
		t.Errorf("Save with an id that was dropped returned %s, want version 3", show(got))
	}
	t.latest(b, "thread", 3, first.ID)
}

// repeatOnAnotherHandle is about what a handle may remember of what it has saved.
func repeatOnAnotherHandle(t *trial) {
	a, b := t.open(), t.open()
	first, second := t.request("thread"), t.request("thread")
	save := func(h *handle, req driver.SaveRequest, want int64) {
		if got := t.save(h, req); got.Version != want || got.ID != req.ID {
			t.Fatalf("Save returned %s, want version %d with id %s", show(got), want, req.ID)
		}
	}
	save(a, first, 1)
	save(a, second, 2)
	save(b, first, 3)
	save(a, second, 4)
	save(b, first, 5)
	save(b, second, 6) // which is what the first handle saved last
	stale := t.request("thread")
	stale.Match.Version = 4
	if current := t.saveConflict(a, stale); current.Version != 6 {
		t.Errorf("Save on condition of version 4 met %s, want version 6", show(current))
	}
	next := t.request("thread")
	next.Match.ID = second.ID
	save(a, next, 7)
	save(b, second, 8)
	save(b, next, 9)
	save(a, t.request("thread"), 10)
	t.versions(b, "thread", 10)
}

func repeatAfterDeletion(t *trial) {
	b := t.open()
	first := t.request("thread")
	first.Keep = 3
	t.save(b, first)
	second := t.request("thread")
	second.Keep = 3
	t.save(b, second)
	t.remove(b, "thread")
	if got := t.save(b, second); got.Version != 1 || got.ID != second.ID {
		t.Errorf("Save with an id of the deleted thread returned %s, want version 1", show(got))
	}
	if got := t.save(b, first); got.Version != 2 || got.ID != first.ID {
		t.Errorf("Save with another id of the deleted thread returned %s, want version 2", show(got))
	}
}

func repeatAfterExpiry(t *trial) {
	b := t.open()
	var reqs []driver.SaveRequest
	for range 2 {
		req := t.request("thread")
		req.Keep = 3
		req.ExpiresAt = t.now.Add(time.Hour)
		t.save(b, req)
		reqs = append(reqs, req)
	}
	for i, req := range []driver.SaveRequest{reqs[1], reqs[0]} {
		req.Now = t.now.Add(2 * time.Hour)
		req.ExpiresAt = time.Time{}
		if got := t.save(b, req); got.Version != int64(i+1) || got.ID != req.ID {
			t.Errorf("Save with an id of the expired life returned %s, want version %d", show(got), i+1)
		}
	}
}

func repeatOtherThread(t *trial) {
	b := t.open()
	id := rand.Text()
	for _, thread := range []string{"one", "two"} {
		req := t.request(thread)
		req.ID = id
		if got := t.save(b, req); got.Version != 1 || got.Thread != thread {
			t.Errorf("Save of %q with an id that another thread may have returned %s, want version 1 of %q", thread, show(got), thread)
		}
	}
	t.latest(b, "one", 1, id)
	t.latest(b, "two", 1, id)
}

func repeatSimilarIDs(t *trial) {
	b := t.open()
	long := strings.Repeat("0123456789abcdef", 4)
	ids := []string{
		long, long[:63] + "g", long[:63], long[:32], long[:16], strings.ToUpper(long), long[:63] + "F",
		"a", "A", "a ", " a", "a.", "a%", "%", "_", "*", "~", "-", "a'", `a"`, `a\`, "a:b", "a#b", "a/b", "{a}", "1", "01", "1.0", "null",
	}
	for i, id := range ids {
		req := t.request("thread")
		req.Keep, req.ID = len(ids), id
		if i > 0 {
			other := t.request("thread")
			other.Keep, other.Match.ID = len(ids), id
			t.saveConflict(b, other) // the id is that of no save yet
			req.Match.ID = ids[i-1]
		}
		if got := t.save(b, req); got.Version != int64(i+1) || got.ID != id {
			t.Fatalf("Save with the id %q returned %s, want version %d with that id", id, show(got), i+1)
		}
	}
	for i, info := range t.historyOf(b, "thread") {
		want := ids[len(ids)-1-i]
		if loaded := t.loadVersion(b, "thread", info.Version, t.now); info.ID != want || loaded.ID != want {
			t.Errorf("version %d has the id %q in History and %q in Load, want %q", info.Version, info.ID, loaded.ID, want)
		}
		req := t.request("thread")
		req.Keep, req.ID = len(ids), want
		if got := t.save(b, req); got.Version != info.Version {
			t.Errorf("a repeated Save with the id %q returned %s, want version %d", want, show(got), info.Version)
		}
	}
}

package checkpointtest

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

func pingCases() []testCase {
	return []testCase{
		{name: "Ping/Twice", alone: true, run: pingTwice,
			rule: 11, text: "Ping prepares the database, and does nothing harmful when it is run again."},
	}
}

// pingTwice is the first case: when it fails the database cannot be reached.
func pingTwice(t *trial) {
	for range 2 {
		b := t.open()
		for range 2 {
			if err := b.Ping(t.ctx); err != nil {
				t.Fatalf("Ping: error %v, want nil", err)
			}
		}
	}
}

func saveCases() []testCase {
	return []testCase{
		{name: "Raw/Save/Info", run: saveInfo,
			rule: 8, text: "Save returns the Info of the checkpoint, and Load, List and History return the same."},
		{name: "Raw/Save/VersionsCount", run: saveVersionsCount,
			rule: 6, text: "The first save of a thread is version 1, and each save adds 1."},
		{name: "Raw/Save/CreatedAt", run: saveCreatedAt,
			rule: 5, text: "CreatedAt is the first save of the thread's present life, SavedAt is this save."},
		{name: "Raw/Save/Times", run: saveTimes,
			rule: 8, text: "Times come back in UTC and exact to the microsecond."},
		{name: "Raw/Save/OtherHandle", run: saveOtherHandle,
			rule: 1, text: "After a save every load on any handle returns that checkpoint or a newer one."},
		{name: "Raw/Save/Reopened", run: saveReopened,
			rule: 1, text: "What was saved is there after the handle was closed and another one opened."},
		{name: "Raw/Save/RequestIsCopied", run: saveRequestIsCopied,
			rule: 8, text: "Save does not keep the payload and metadata that it was given."},
		{name: "Raw/Save/ResultIsCopied", run: saveResultIsCopied,
			rule: 8, text: "Payload and metadata that a backend returns belong to the caller."},
		{name: "Raw/Save/WithoutPing", run: saveWithoutPing,
			rule: 1, text: "A backend works whether or not Ping was called on the handle."},
		{name: "Raw/Repeat/Latest", run: repeatLatest,
			rule: 3, text: "A save whose id is that of the latest version changes nothing and returns that version's Info."},
		{name: "Raw/Repeat/OlderKept", run: repeatOlderKept,
			rule: 3, text: "A save whose id is that of an older version that is kept changes nothing and returns that version's Info."},
		{name: "Raw/Repeat/WithCondition", run: repeatWithCondition,
			rule: 3, text: "A repeated save is no conflict, whatever its condition says now."},
		{name: "Raw/Repeat/AfterTrimming", run: repeatAfterTrimming,
			rule: 3, text: "An id that history has dropped makes an ordinary save."},
		{name: "Raw/Repeat/AfterDeletion", run: repeatAfterDeletion,
			rule: 3, text: "An id of a deleted thread makes an ordinary save."},
		{name: "Raw/Repeat/AfterExpiry", run: repeatAfterExpiry,
			rule: 3, text: "An id of an expired life makes an ordinary save."},
		{name: "Raw/Repeat/OtherThread", run: repeatOtherThread,
			rule: 3, text: "An id that another thread has makes an ordinary save."},
	}
}

func saveInfo(t *trial) {
	b := t.open()
	req := t.request("thread")
	req.ExpiresAt = t.now.Add(24 * time.Hour)
	got := t.save(b, req)
	want := driver.Info{
		Key: req.Key, ID: req.ID, Version: 1, Size: len(req.Payload), Encoding: "json",
		CreatedAt: t.now, SavedAt: t.now, ExpiresAt: req.ExpiresAt,
	}
	t.same("Save", got, want)
	t.same("Load", t.load(b, "thread").Info, want)
	t.same("Load of version 1", t.loadVersion(b, "thread", 1, t.now).Info, want)
	for _, from := range []struct {
		call  string
		infos []driver.Info
	}{
		{"List", t.listed(b, driver.ListRequest{})},
		{"History", t.historyOf(b, "thread")},
	} {
		if len(from.infos) != 1 {
			t.Errorf("%s yielded %d, want 1", from.call, len(from.infos))
			continue
		}
		t.same(from.call, from.infos[0], want)
	}
}

func saveVersionsCount(t *trial) {
	b := t.open()
	for want := int64(1); want <= 5; want++ {
		req := t.request("thread")
		if got := t.save(b, req); got.Version != want || got.ID != req.ID {
			t.Fatalf("Save number %d returned version %d with id %s, want version %d with id %s", want, got.Version, got.ID, want, req.ID)
		}
		t.latest(b, "thread", want, req.ID)
	}
}

func saveCreatedAt(t *trial) {
	b := t.open()
	for i := range 3 {
		req := t.request("thread")
		req.Now = t.now.Add(time.Duration(i) * time.Minute)
		saved := t.save(b, req)
		loaded := t.loadVersion(b, "thread", 0, req.Now).Info
		for _, got := range []driver.Info{saved, loaded} {
			if !got.CreatedAt.Equal(t.now) || !got.SavedAt.Equal(req.Now) {
				t.Fatalf("after save %d: CreatedAt %s and SavedAt %s, want %s and %s",
					i+1, clock(got.CreatedAt), clock(got.SavedAt), clock(t.now), clock(req.Now))
			}
		}
	}
	t.remove(b, "thread")
	req := t.request("thread")
	req.Now = t.now.Add(time.Hour)
	if got := t.save(b, req); !got.CreatedAt.Equal(req.Now) {
		t.Errorf("after Delete and Save: CreatedAt %s, want the new life's %s", clock(got.CreatedAt), clock(req.Now))
	}
}

func saveTimes(t *trial) {
	b := t.open()
	for i, micros := range []int{1, 999, 1_000, 123_456, 999_999} {
		thread := fmt.Sprint("thread-", i)
		req := t.request(thread)
		req.Now = t.now.Add(time.Duration(micros) * time.Microsecond)
		req.ExpiresAt = time.Date(8999, 12, 31, 23, 59, 59, micros*1000, time.UTC)
		if i%2 == 0 {
			req.ExpiresAt = req.Now.Add(90*time.Minute + time.Duration(micros)*time.Microsecond)
		}
		saved := t.save(b, req)
		list := t.listed(b, driver.ListRequest{Prefix: thread, Now: req.Now})
		history := t.historyPage(b, driver.HistoryRequest{Key: req.Key, Now: req.Now})
		if len(list) != 1 || len(history) != 1 {
			t.Fatalf("List and History yielded %d and %d, want 1 each", len(list), len(history))
		}
		for call, got := range map[string]driver.Info{
			"Save": saved, "Load": t.loadVersion(b, thread, 0, req.Now).Info, "List": list[0], "History": history[0],
		} {
			for field, times := range map[string][2]time.Time{
				"CreatedAt": {got.CreatedAt, req.Now}, "SavedAt": {got.SavedAt, req.Now}, "ExpiresAt": {got.ExpiresAt, req.ExpiresAt},
			} {
				if got, want := times[0], times[1]; !got.Equal(want) || got.Location() != time.UTC {
					t.Errorf("%s: %s is %s in %v, want %s in UTC", call, field, clock(got), got.Location(), clock(want))
				}
			}
		}
	}
}

func saveOtherHandle(t *trial) {
	handles := []*handle{t.open(), t.open(), t.open()}
	for i := range 9 {
		req := t.request("thread")
		t.save(handles[i%3], req)
		for j := range handles {
			t.latest(handles[(i+j)%3], "thread", int64(i+1), req.ID)
		}
	}
	t.remove(handles[0], "thread")
	for _, b := range handles {
		t.missing(b, "thread", 0, t.now)
	}
}

func saveReopened(t *trial) {
	for i := range 3 {
		b := t.open()
		req := t.request("thread")
		req.Keep = 10
		t.save(b, req)
		if err := b.Close(); err != nil {
			t.Fatalf("Close: error %v, want nil", err)
		}
		b = t.open()
		t.latest(b, "thread", int64(i+1), req.ID)
	}
	t.versions(t.open(), "thread", 3, 2, 1)
}

func saveRequestIsCopied(t *trial) {
	b := t.open()
	const payload = "the payload as it was saved"
	req := t.request("thread")
	req.Encoding = "bytes"
	req.Payload = []byte(payload)
	req.Metadata = map[string]string{"key": "saved"}
	t.save(b, req)
	for i := range req.Payload {
		req.Payload[i] = 'x'
	}
	req.Metadata["key"] = "changed"
	req.Metadata["more"] = "changed"
	got := t.load(b, "thread")
	if string(got.Payload) != payload {
		t.Errorf("after the caller changed its buffer Load returned %q, want %q", got.Payload, payload)
	}
	if got := got.Metadata["key"]; got == "changed" {
		t.Errorf("after the caller changed its map Load returned the metadata %q, want %q", got, "saved")
	}
}

func saveResultIsCopied(t *trial) {
	b := t.open()
	const payload = "the payload as it was saved"
	req := t.request("thread")
	req.Encoding = "bytes"
	req.Payload = []byte(payload)
	req.Metadata = map[string]string{"key": "saved"}
	change := func(info driver.Info) {
		if info.Metadata != nil {
			info.Metadata["key"] = "changed"
		}
	}
	change(t.save(b, req))
	first := t.load(b, "thread")
	for i := range first.Payload {
		first.Payload[i] = 'x'
	}
	change(first.Info)
	for _, info := range t.listed(b, driver.ListRequest{}) {
		change(info)
	}
	for _, info := range t.historyOf(b, "thread") {
		change(info)
	}
	got := t.load(b, "thread")
	if string(got.Payload) != payload {
		t.Errorf("after the caller changed what Load returned the next Load returned %q, want %q", got.Payload, payload)
	}
	if got := got.Metadata["key"]; got == "changed" {
		t.Errorf("after the caller changed returned metadata Load returned %q, want %q", got, "saved")
	}
}

func saveWithoutPing(t *trial) {
	first := t.request("thread")
	t.save(t.open(), first)
	t.latest(t.open(), "thread", 1, first.ID)
	t.versions(t.open(), "thread", 1)
	t.names(t.open(), driver.ListRequest{}, "thread")
	t.remove(t.open(), "thread")
	t.missing(t.open(), "thread", 0, t.now)
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
		for _, match := range []driver.Match{req.Match, {Absent: true}, {ID: "never-there"}, {ID: req.ID}} {
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

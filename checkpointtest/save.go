package checkpointtest

import (
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
		req.Keep = 2
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
		req.ExpiresAt = time.Date(2199, 12, 31, 23, 59, 59, micros*1000, time.UTC)
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

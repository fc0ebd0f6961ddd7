package checkpointtest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

func importCases() []testCase {
	return []testCase{
		{name: "Raw/Import/AsGiven", needs: "Importer", run: importAsGiven,
			rule: 8, text: "Import writes id, version, times, expiry, metadata, encoding and payload as given."},
		{name: "Raw/Import/History", needs: "Importer", run: importHistory,
			rule: 6, text: "Versions imported one after the other make a history, of at most Keep."},
		{name: "Raw/Import/Again", needs: "Importer", run: importAgain,
			rule: 3, text: "Import of a version that is there under the same id returns nil and changes nothing."},
		{name: "Raw/Import/NotOver", needs: "Importer", run: importNotOver,
			rule: 4, text: "Import is ErrConflict and changes nothing when the live thread has the same or a higher version."},
		{name: "Raw/Import/Condition", needs: "Importer", run: importCondition,
			rule: 4, text: "Import whose condition the live thread does not meet is ErrConflict and changes nothing; what is there already is none."},
		{name: "Raw/Import/Gap", needs: "Importer", run: importGap,
			rule: 6, text: "Versions that a gap would separate from the imported one are dropped."},
		{name: "Raw/Import/ExpiredLife", needs: "Importer", run: importExpiredLife,
			rule: 5, text: "What an expired life left is replaced by Import and not mixed in."},
		{name: "Raw/Import/Expired", needs: "Importer", run: importExpired,
			rule: 5, text: "An imported checkpoint that has expired is invisible."},
		{name: "Raw/Import/SavedAfter", needs: "Importer", run: importSavedAfter,
			rule: 4, text: "Saves go on from an imported checkpoint, with its id as condition and its CreatedAt."},
	}
}

// importRequest asks for a version of a thread to be taken over; it was saved
// before the trial's now.
func (t *trial) importRequest(thread string, version int64) driver.ImportRequest {
	payload := fmt.Appendf(nil, `{"version":%d}`, version)
	return driver.ImportRequest{
		Checkpoint: driver.Checkpoint{
			Info: driver.Info{
				Key: t.key(thread), ID: rand.Text(), Version: version, Size: len(payload), Encoding: "json",
				CreatedAt: t.now.Add(-1000 * time.Hour),
				SavedAt:   t.now.Add(-1000*time.Hour + time.Duration(version)*time.Minute),
			},
			Payload: payload,
		},
		Now: t.now, Keep: 10,
	}
}

func (t *trial) importOne(b *handle, req driver.ImportRequest) {
	if err := b.Import(t.ctx, req); err != nil {
		t.Fatalf("Import of version %d of %q: error %v, want nil", req.Version, req.Thread, err)
	}
}

func importAsGiven(t *trial) {
	b := t.open()
	large := t.importRequest("large", 3)
	large.Encoding, large.Payload = "gob", randomBytes(450_000)
	large.Size = len(large.Payload)
	rich := t.importRequest("rich", 41)
	rich.ExpiresAt = t.now.Add(90*time.Minute + 3*time.Microsecond)
	rich.SavedAt = rich.SavedAt.Add(7 * time.Microsecond)
	rich.Metadata = map[string]string{"key": "value", "é": "\x01"}
	rich.Payload = []byte(`{"n":123.5,"s":"é"}`)
	rich.Size = len(rich.Payload)
	old := t.importRequest("old", 1)
	old.ID = "the-id-of-another-program"
	old.CreatedAt = time.Date(1999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	old.SavedAt = old.CreatedAt
	empty := t.importRequest("empty", 2)
	empty.Encoding, empty.Payload, empty.Size = "bytes", nil, 0
	high := t.importRequest("high", driver.MaxVersion-10)
	for _, req := range []driver.ImportRequest{large, rich, old, empty, high} {
		t.importOne(b, req)
		got := t.load(b, req.Thread)
		t.same("Load after Import", got.Info, req.Info)
		diff := diffBytes
		if req.Encoding == "json" {
			diff = diffJSON
		}
		if d := diff(got.Payload, req.Payload); d != "" {
			t.Errorf("after Import the payload of %q is %s", req.Thread, d)
		}
		for call, infos := range map[string][]driver.Info{"History": t.historyOf(b, req.Thread), "List": t.listed(b, driver.ListRequest{Prefix: req.Thread})} {
			if len(infos) != 1 {
				t.Errorf("after Import %s yielded %d, want 1", call, len(infos))
				continue
			}
			t.same(call+" after Import", infos[0], req.Info)
		}
	}
}

// imported takes over the versions from first to last.
func (t *trial) imported(b *handle, thread string, first, last int64, keep int) []driver.ImportRequest {
	var reqs []driver.ImportRequest
	for version := first; version <= last; version++ {
		req := t.importRequest(thread, version)
		req.Keep = keep
		t.importOne(b, req)
		reqs = append(reqs, req)
	}
	return reqs
}

func importHistory(t *trial) {
	b := t.open()
	t.imported(b, "all", 1, 6, 10)
	t.versions(b, "all", down(6, 1)...)
	t.imported(b, "some", 4, 9, 3)
	t.versions(b, "some", down(9, 7)...)
	t.imported(b, "one", 1, 3, 1)
	t.versions(b, "one", 3)
	for version := int64(1); version <= 6; version++ {
		got := t.loadVersion(b, "all", version, t.now)
		if d := diffJSON(got.Payload, fmt.Appendf(nil, `{"version":%d}`, version)); d != "" {
			t.Errorf("the payload of version %d is %s", version, d)
		}
	}
	// Onto what was saved here, the next version.
	t.grow(b, "saved", 2, 5)
	t.imported(b, "saved", 3, 3, 5)
	t.versions(b, "saved", 3, 2, 1)
}

func importAgain(t *trial) {
	b := t.open()
	reqs := t.imported(b, "thread", 1, 4, 10)
	for _, req := range reqs {
		again := req
		again.Payload = []byte(`{"version":"another"}`)
		again.Keep = 1
		t.importOne(b, again)
	}
	t.versions(b, "thread", down(4, 1)...)
	for _, req := range reqs {
		got := t.loadVersion(b, "thread", req.Version, t.now)
		t.same("Load after a second Import", got.Info, req.Info)
		if d := diffJSON(got.Payload, req.Payload); d != "" {
			t.Errorf("after a second Import the payload of version %d is %s", req.Version, d)
		}
	}
}

func importNotOver(t *trial) {
	b := t.open()
	imported := t.imported(b, "imported", 3, 5, 10)
	saved := t.grow(b, "saved", 5, 3)
	for _, thread := range []string{"imported", "saved"} {
		for version := int64(1); version <= 5; version++ {
			if err := b.Import(t.ctx, t.importRequest(thread, version)); !errors.Is(err, driver.ErrConflict) {
				t.Errorf("Import of version %d of %q over version 5: error %v, want ErrConflict", version, thread, err)
			}
		}
		t.versions(b, thread, 5, 4, 3)
	}
	t.latest(b, "imported", 5, imported[2].ID)
	t.latest(b, "saved", 5, saved[4].ID)
	// The same id under another number is another version.
	req := t.importRequest("imported", 4)
	req.ID = imported[2].ID
	if err := b.Import(t.ctx, req); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("Import of version 4 with the id of version 5: error %v, want ErrConflict", err)
	}
}

func importCondition(t *trial) {
	b := t.open()
	refused := func(req driver.ImportRequest, want driver.Info) {
		err := b.Import(t.ctx, req)
		conflict, ok := errors.AsType[*driver.ConflictError](err)
		if !ok {
			t.Fatalf("Import of version %d of %q with Match %+v: error %v, want a *driver.ConflictError", req.Version, req.Thread, req.Match, err)
		}
		t.same(fmt.Sprintf("ConflictError.Current of an Import with Match %+v", req.Match), conflict.Current, want)
	}
	saved := t.grow(b, "thread", 2, 5)
	next := t.importRequest("thread", 3)
	for _, next.Match = range []driver.Match{{ID: saved[0].ID}, {ID: next.ID}, {Version: 1}, {Version: 3}, {Absent: true}} {
		refused(next, saved[1])
		t.versions(b, "thread", 2, 1)
	}
	for _, match := range []driver.Match{{ID: saved[1].ID}, {Version: 3}, {Exists: true}} {
		next.Match = match
		t.importOne(b, next)
		next.Match = driver.Match{ID: "never-there"}
		t.importOne(b, next) // is there already
		next = t.importRequest("thread", next.Version+1)
	}
	t.versions(b, "thread", down(5, 1)...)

	absent := t.importRequest("absent", 3)
	for _, absent.Match = range []driver.Match{{ID: "never-there"}, {Version: 2}, {Exists: true}} {
		refused(absent, driver.Info{})
		t.missing(b, "absent", 0, t.now)
	}
	absent.Match = driver.Match{Absent: true}
	t.importOne(b, absent)
	t.versions(b, "absent", 3)

	// It is by the request's clock that a thread is there.
	first := t.importRequest("expired", 1)
	first.ExpiresAt = t.now.Add(-time.Hour)
	t.importOne(b, first)
	second := t.importRequest("expired", 2)
	second.Match.ID = first.ID
	refused(second, driver.Info{})
	second.Now = first.ExpiresAt.Add(-time.Microsecond)
	t.importOne(b, second)
	t.versions(b, "expired", 2, 1)
}

func importGap(t *trial) {
	b := t.open()
	t.imported(b, "thread", 1, 3, 10)
	t.imported(b, "thread", 5, 6, 10)
	t.versions(b, "thread", 6, 5)
	for _, version := range []int64{1, 2, 3, 4} {
		t.missing(b, "thread", version, t.now)
	}
	t.imported(b, "thread", 100, 100, 10)
	t.versions(b, "thread", 100)
}

func importExpiredLife(t *trial) {
	b := t.open()
	former := t.mortal(b, "thread") // versions 1 and 2
	for _, version := range []int64{1, 3} {
		req := t.importRequest("thread", version)
		req.Now = former.ExpiresAt.Add(time.Hour)
		req.ExpiresAt = req.Now.Add(time.Hour)
		t.importOne(b, req)
		history := t.historyPage(b, driver.HistoryRequest{Key: req.Key, Now: req.Now})
		if len(history) != 1 || history[0].ID != req.ID {
			t.Errorf("after Import of version %d over an expired life History yields versions %d, want that one", version, versionsOf(history))
		}
		former.ID, former.Now, former.ExpiresAt = rand.Text(), req.ExpiresAt, req.ExpiresAt.Add(time.Hour)
		former.Keep = 5
		t.save(b, former) // a new life, for the next round
		former.ID = rand.Text()
		t.save(b, former)
	}
}

func importExpired(t *trial) {
	b := t.open()
	req := t.importRequest("thread", 5)
	req.ExpiresAt = t.now.Add(-time.Minute)
	t.importOne(b, req)
	t.missing(b, "thread", 0, t.now)
	t.missing(b, "thread", 5, t.now)
	save := t.request("thread")
	if got := t.save(b, save); got.Version != 1 {
		t.Errorf("Save over an imported checkpoint that has expired returned %s, want version 1", show(got))
	}
}

func importSavedAfter(t *trial) {
	b := t.open()
	last := t.imported(b, "thread", 7, 8, 10)[1]
	req := t.request("thread")
	req.Keep = 10
	req.Match.ID = last.ID
	got := t.save(b, req)
	if got.Version != 9 || !got.CreatedAt.Equal(last.CreatedAt) {
		t.Errorf("Save after Import returned %s, want version 9 created %s", show(got), clock(last.CreatedAt))
	}
	t.versions(b, "thread", 9, 8, 7)
	repeat := t.request("thread")
	repeat.ID = last.ID
	repeat.Keep = 10
	if got := t.save(b, repeat); got.Version != 8 {
		t.Errorf("Save with an imported id that is kept returned %s, want version 8", show(got))
	}
}

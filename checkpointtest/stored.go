package checkpointtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// StoredPayloads adds the cases about what stays in the database though no method
// shows it: payloads of versions that were dropped, removed or replaced, which cost
// storage for ever, and may not be kept.
//
// count returns how many of the payloads that the database holds, visible or not,
// contain mark, which is 26 capital letters and digits that stand once in a payload.
// It looks wherever the driver puts payloads, in every namespace, and undoes what the
// driver does to them; of a payload in several parts the one that has the mark counts.
//
// late is how many versions that a thread has dropped may stay stored until a later
// save of it: 0 where they go at once.
func StoredPayloads(count func(ctx context.Context, mark string) (int, error), late int) Option {
	return func(s *suite) { s.countStored, s.late = count, late }
}

// storedCases are not run beside others: count may read memory that they change.
func (s *suite) storedCases() []testCase {
	if s.countStored == nil {
		return nil
	}
	return []testCase{
		{name: "Raw/Stored/Trimmed", alone: true, run: storedTrimmed,
			rule: 6, text: "The payloads of versions that a history drops do not stay in the database."},
		{name: "Raw/Stored/Refused", alone: true, run: storedRefused,
			rule: 4, text: "A save that is refused, repeated or beaten by another leaves no payload in the database."},
		{name: "Raw/Stored/Deleted", alone: true, run: storedDeleted,
			rule: 2, text: "The payloads of a thread that was deleted do not stay in the database, and those of others do."},
		{name: "Raw/Stored/Expired", alone: true, run: storedExpired,
			rule: 5, text: "The payloads of a life that has expired do not stay in the database once the thread is saved or deleted."},
		{name: "Raw/Stored/Purged", alone: true, needs: "Purger", run: storedPurged,
			rule: 5, text: "The payloads of threads that Purge has removed do not stay in the database."},
		{name: "Raw/Stored/DeletedPrefix", alone: true, needs: "PrefixDeleter", run: storedPrefix,
			rule: 10, text: "The payloads of threads that DeletePrefix has removed do not stay in the database, and those of others do."},
		{name: "Raw/Stored/Imported", alone: true, needs: "Importer", run: storedImported,
			rule: 6, text: "The payloads of versions that Import drops, replaces or refuses do not stay in the database."},
		{name: "Raw/Stored/Rewritten", alone: true, needs: "Rewriter", run: storedRewritten,
			rule: 2, text: "The payloads that Rewrite has replaced do not stay in the database."},
		{name: "Raw/Stored/Patches", alone: true, needs: "Patcher", run: storedPatches,
			rule: 6, text: "The payloads of invisible versions stay in the database for as long as a patch needs them, and no longer."},
	}
}

// stored checks how many payloads with a mark the database holds. A driver may finish
// its removals in the background, within a moment; late more may wait for a save.
func (t *trial) stored(what, mark string, want, late int) {
	var got int
	within(500*time.Millisecond, func() bool {
		var err error
		if got, err = t.suite.countStored(t.ctx, mark); err != nil {
			t.Fatalf("the function that was given to StoredPayloads: error %v, want success", err)
		}
		return got >= want && got <= want+late
	})
	switch {
	case got < want:
		t.Fatalf("after %s StoredPayloads counts %d payloads with the mark %s, want %d: it looks in the wrong place, or they are lost", what, got, mark, want)
	case got > want+late && late > 0:
		t.Fatalf("after %s the database holds %d payloads with the mark %s, want %d, or %d that wait for a later save: some were left behind", what, got, mark, want, want+late)
	case got > want+late:
		t.Fatalf("after %s the database holds %d payloads with the mark %s, want %d: some were left behind", what, got, mark, want)
	}
}

// A marked is a kind of payload that databases keep in a place of its own.
type marked struct {
	encoding string
	size     int
}

var markedKinds = []marked{{"json", 0}, {"bytes", 0}, {"bytes", 450_000}}

func (k marked) String() string {
	return fmt.Sprintf("%s, %d bytes more than a mark", k.encoding, k.size)
}

// payload returns one with a mark.
func (k marked) payload(mark string) []byte {
	if k.encoding == "json" {
		return fmt.Appendf(nil, `{"mark":%q}`, mark)
	}
	return append([]byte(mark), bytes.Repeat([]byte{0xfe}, k.size)...)
}

// saveMarked saves versions of a thread with a mark.
func (t *trial) saveMarked(b driver.Backend, thread, mark string, k marked, n, keep int, expiresAt time.Time) driver.Info {
	var info driver.Info
	for range n {
		req := t.request(thread)
		req.Encoding, req.Payload, req.Keep, req.ExpiresAt = k.encoding, k.payload(mark), keep, expiresAt
		info = t.save(b, req)
	}
	return info
}

func storedTrimmed(t *trial) {
	b := t.open()
	for _, k := range markedKinds {
		mark := rand.Text()
		t.saveMarked(b, k.String(), mark, k, 6, 3, time.Time{})
		t.stored(fmt.Sprintf("6 saves (%v) that keep 3", k), mark, 3, t.suite.late)
		t.saveMarked(b, k.String(), mark, k, 1+t.suite.late, 1, time.Time{})
		t.stored(fmt.Sprintf("saves (%v) that keep 1", k), mark, 1, t.suite.late)
	}
}

func storedRefused(t *trial) {
	b, other := t.open(), t.open()
	for _, k := range markedKinds {
		mark, refused := rand.Text(), rand.Text()
		last := t.saveMarked(b, k.String(), mark, k, 2, 2, time.Time{})
		req := t.request(last.Thread)
		req.Encoding, req.Payload, req.Keep, req.Match = k.encoding, k.payload(refused), 2, driver.Match{Absent: true}
		t.saveConflict(b, req)
		req.Match, req.ID = driver.Match{}, last.ID
		t.save(b, req)
		t.stored(fmt.Sprintf("a conflict and a repeated save (%v)", k), refused, 0, 0)
		t.together(6, func(i int) {
			req := req
			req.ID, req.Match = rand.Text(), driver.Match{ID: last.ID}
			_, err := []driver.Backend{b, other}[i%2].Save(t.ctx, req)
			if err != nil && !errors.Is(err, driver.ErrConflict) {
				t.Errorf("one of 6 saves on one condition: error %v, want success or a conflict", err)
			}
		})
		t.stored(fmt.Sprintf("6 saves (%v) at once on one condition", k), refused, 1, 0)
	}
}

func storedDeleted(t *trial) {
	b := t.open()
	for _, k := range markedKinds {
		mark, stays := rand.Text(), rand.Text()
		t.saveMarked(b, "stays", stays, k, 2, 2, time.Time{})
		t.saveMarked(b, "thread", mark, k, 4, 3, time.Time{})
		t.stored(fmt.Sprintf("4 saves (%v) that keep 3", k), mark, 3, t.suite.late)
		t.remove(b, "thread")
		t.stored(fmt.Sprintf("Delete (%v)", k), mark, 0, 0)
		last := t.saveMarked(b, "thread", mark, k, 3, 3, time.Time{})
		if err := b.Delete(t.ctx, driver.DeleteRequest{Key: last.Key, Match: driver.Match{ID: last.ID}, Now: t.now}); err != nil {
			t.Fatalf("Delete on condition of the latest id: error %v, want nil", err)
		}
		t.stored(fmt.Sprintf("Delete on a condition (%v)", k), mark, 0, 0)
		t.stored(fmt.Sprintf("Delete of another thread (%v)", k), stays, 2, 0)
		t.remove(b, "stays")
	}
}

func storedExpired(t *trial) {
	b := t.open()
	expiry := t.now.Add(time.Hour)
	for _, k := range markedKinds {
		mark := rand.Text()
		t.saveMarked(b, "saved", mark, k, 3, 3, expiry)
		next := t.request("saved")
		next.Keep, next.Now = 3, expiry
		t.save(b, next)
		t.stored(fmt.Sprintf("a save over an expired life (%v)", k), mark, 0, 0)
		t.remove(b, "saved")

		t.saveMarked(b, "deleted", mark, k, 3, 3, expiry)
		if err := b.Delete(t.ctx, driver.DeleteRequest{Key: t.key("deleted"), Now: expiry}); err != nil {
			t.Fatalf("Delete of an expired thread: error %v, want nil", err)
		}
		t.stored(fmt.Sprintf("Delete of an expired thread (%v)", k), mark, 0, 0)
	}
}

func storedPurged(t *trial) {
	b := t.open()
	mark, stays := rand.Text(), rand.Text()
	for i, k := range markedKinds {
		t.saveMarked(b, fmt.Sprint("expires ", i), mark, k, 3, 2, t.now.Add(time.Hour))
		t.saveMarked(b, fmt.Sprint("stays ", i), stays, k, 2, 2, t.now.Add(3*time.Hour))
	}
	t.stored("saves that keep 2", mark, 6, 3*t.suite.late)
	t.purge(b, t.now.Add(2*time.Hour))
	t.stored("Purge", mark, 0, 0)
	t.stored("Purge of other threads", stays, 6, 0)
}

func storedPrefix(t *trial) {
	b := t.open()
	mark, stays := rand.Text(), rand.Text()
	for i, k := range markedKinds {
		t.saveMarked(b, fmt.Sprint("in-", i), mark, k, 3, 2, time.Time{})
		t.saveMarked(b, fmt.Sprint("in-expired-", i), mark, k, 2, 2, t.now.Add(time.Hour))
		t.saveMarked(b, fmt.Sprint("out-", i), stays, k, 2, 2, time.Time{})
	}
	t.deletePrefix(b, "in-", t.now.Add(2*time.Hour))
	t.stored("DeletePrefix", mark, 0, 0)
	t.stored("DeletePrefix of other threads", stays, 6, 0)
}

func storedImported(t *trial) {
	b := t.open()
	importing := func(version int64, k marked, mark string) driver.ImportRequest {
		req := t.importRequest("thread", version)
		req.Encoding, req.Payload, req.Keep = k.encoding, k.payload(mark), 2
		req.Size = len(req.Payload)
		return req
	}
	for _, k := range markedKinds {
		mark, refused, last := rand.Text(), rand.Text(), rand.Text()
		for version := range int64(5) {
			t.importOne(b, importing(version+1, k, mark))
		}
		t.stored(fmt.Sprintf("Import of 5 versions (%v) that keeps 2", k), mark, 2, t.suite.late)
		if err := b.Import(t.ctx, importing(3, k, refused)); !errors.Is(err, driver.ErrConflict) {
			t.Fatalf("Import of version 3 over version 5: error %v, want ErrConflict", err)
		}
		t.stored(fmt.Sprintf("Import that was refused (%v)", k), refused, 0, 0)
		t.importOne(b, importing(9, k, last))
		t.stored(fmt.Sprintf("Import behind a gap (%v)", k), mark, 0, 0)
		t.stored(fmt.Sprintf("Import behind a gap (%v), of the new one", k), last, 1, 0)
		t.remove(b, "thread")
		t.stored(fmt.Sprintf("Delete of an imported thread (%v)", k), last, 0, 0)
	}
}

func storedRewritten(t *trial) {
	b := t.open()
	for _, k := range markedKinds {
		before := rand.Text()
		t.saveMarked(b, k.String(), before, k, 3, 3, time.Time{})
		for _, to := range markedKinds[1:] {
			after := rand.Text()
			for _, info := range t.historyOf(b, k.String()) {
				if err := b.Rewrite(t.ctx, t.rewrite(info, string(to.payload(after)))); err != nil {
					t.Fatalf("Rewrite of version %d: error %v, want nil", info.Version, err)
				}
			}
			t.stored(fmt.Sprintf("Rewrite of 3 versions (%v)", k), before, 0, 0)
			t.stored(fmt.Sprintf("Rewrite of 3 versions (%v)", to), after, 3, 0)
			before = after
		}
		t.remove(b, k.String())
		t.stored("Delete of what was rewritten", before, 0, 0)
	}
}

func storedPatches(t *trial) {
	c := t.chain(t.open(), "thread", 2)
	c.mark = rand.Text()
	c.add(0)
	for range 4 {
		c.add(1)
	}
	t.stored("4 patches of one state, of which 2 are visible", c.mark, 5, 0)
	c.add(0)
	t.stored("a whole state after them", c.mark, 6, 0)
	for range 1 + t.suite.late {
		c.add(0)
	}
	t.stored("whole states alone, of which 2 are visible", c.mark, 2, t.suite.late)
	base := int64(len(c.versions))
	c.keep = 1
	c.add(base)
	c.add(base)
	t.stored("2 patches of the latest state, of which 1 is visible", c.mark, 3, t.suite.late)
	t.remove(c.b, "thread")
	t.stored("Delete of patches", c.mark, 0, 0)

	old := t.chain(c.b, "expires", 2)
	old.mark = rand.Text()
	old.add(0)
	mortal := old.request(1)
	mortal.ExpiresAt = t.now.Add(time.Hour)
	if _, err := c.b.SavePatch(t.ctx, mortal); err != nil {
		t.Fatalf("SavePatch: error %v, want success", err)
	}
	next := t.request("expires")
	next.Now = mortal.ExpiresAt
	t.save(c.b, next)
	t.stored("a save over an expired life of patches", old.mark, 0, 0)
}

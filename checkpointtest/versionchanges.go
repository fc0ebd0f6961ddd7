package checkpointtest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// versionsTrimmed trims a thread from inside of the loop, before the pages that
// are to come.
func versionsTrimmed(t *trial) {
	b := t.open()
	const n, keep = driver.VersionsPage + 20, 12
	for _, newest := range []bool{false, true} {
		thread := fmt.Sprint("newest ", newest)
		infos := t.log(b, thread, n, driver.KeepAll)
		var all []driver.Checkpoint
		for c, err := range b.Versions(t.ctx, driver.VersionsRequest{Key: t.key(thread), Newest: newest, Now: t.now}) {
			if err != nil {
				t.Fatalf("Versions(newest=%t) of a thread that was trimmed under the loop yielded error %v after %d versions, want none", newest, err, len(all))
			}
			if all = append(all, c); len(all) == 3 {
				maps.Copy(infos, t.log(b, thread, 1, keep))
			}
		}
		t.inOrder(all, newest)
		t.events(all, infos)
		last := all[len(all)-1].Version
		if !newest && last < n {
			t.Errorf("Versions of a thread that was trimmed under the loop ended with version %d, want those that were kept, to %d", last, n)
		}
	}
}

// inOrder checks that versions come in order, each once.
func (t *trial) inOrder(all []driver.Checkpoint, newest bool) {
	numbers := numbersOf(all)
	sorted := slices.Compact(slices.Sorted(slices.Values(numbers)))
	if newest {
		slices.Reverse(sorted)
	}
	if !slices.Equal(numbers, sorted) {
		t.Errorf("Versions(newest=%t) yielded versions %d, want each once and in order", newest, numbers)
	}
}

// versionsDeleted deletes a thread from inside of the loop, before the page that is to
// come, and begins its next life, which is longer, shorter or none.
func versionsDeleted(t *trial) {
	b := t.open()
	const n = driver.VersionsPage + 10
	var infos map[int64]driver.Info
	for _, test := range []struct {
		newest bool
		again  int // versions of the next life
	}{{false, n}, {true, 1}, {false, 0}} {
		if len(infos) < n { // otherwise the life that the loop before has begun
			t.remove(b, "thread")
			infos = t.log(b, "thread", n, driver.KeepAll)
		}
		var next map[int64]driver.Info
		var all []driver.Checkpoint
		for c, err := range b.Versions(t.ctx, driver.VersionsRequest{Key: t.key("thread"), Newest: test.newest, Now: t.now}) {
			if err != nil {
				t.Fatalf("Versions(newest=%t) of a thread that was deleted under the loop yielded error %v after %d versions, want the end", test.newest, err, len(all))
			}
			if all = append(all, c); len(all) == 3 {
				t.remove(b, "thread")
				t.now = t.now.Add(time.Second) // another time, as a life after it has
				next = t.log(b, "thread", test.again, driver.KeepAll)
			}
		}
		t.inOrder(all, test.newest)
		t.events(all, infos)
		if len(all) >= n {
			t.Errorf("Versions(newest=%t) of a thread that was deleted under the loop yielded all %d versions, want it to end with the page", test.newest, len(all))
		}
		infos = next
	}
}

func versionsWhileSaving(t *trial) {
	const keep = 20
	b, reader := t.open(), t.open()
	t.log(b, "thread", keep, keep)
	read := func(newest bool) func() bool {
		return func() bool {
			var all []driver.Checkpoint
			for c, err := range reader.Versions(t.ctx, driver.VersionsRequest{Key: t.key("thread"), Newest: newest, Now: t.now}) {
				if err != nil {
					t.Errorf("Versions: %v", err)
					return false
				}
				if string(c.Payload) != "event "+c.ID {
					t.Errorf("Versions yielded version %d with the payload %.60q, want its own, of id %s", c.Version, c.Payload, c.ID)
					return false
				}
				all = append(all, c)
			}
			t.inOrder(all, newest)
			return len(all) > 0
		}
	}
	t.beside(func(int) bool {
		req := t.request("thread")
		req.Keep, req.Encoding, req.Payload = keep, "bytes", []byte("event "+req.ID)
		_, err := b.Save(t.ctx, req)
		if err != nil {
			t.Errorf("Save: %v", err)
		}
		return err == nil
	}, read(false), read(true))
}

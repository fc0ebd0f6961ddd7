package checkpointtest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// The cases about deletions, and their conditions.
func deletionCases() []testCase {
	return []testCase{
		{name: "Raw/Errors/DeleteAbsent", run: errorsDeleteAbsent,
			rule: 2, text: "Delete of an absent thread returns nil."},
		{name: "Raw/Deletions/Hold", run: deletionsHold,
			rule: 4, text: "A deletion on condition of the latest id, the latest version or existence removes every version where the condition holds."},
		{name: "Raw/Deletions/Conflict", run: deletionsConflict,
			rule: 4, text: "A deletion whose condition does not hold is a conflict that carries the latest checkpoint, and changes nothing."},
		{name: "Raw/Deletions/Missing", run: deletionsMissing,
			rule: 4, text: "An absent or expired thread holds no condition of a deletion: a conflict with the zero Info."},
		{name: "Raw/Deletions/FormerLife", run: deletionsFormerLife,
			rule: 4, text: "A deletion on condition of an id of a former life is a conflict, whatever came since."},
	}
}

func errorsDeleteAbsent(t *trial) {
	b := t.open()
	t.missing(b, "never there", 0, t.now)
	for range 2 {
		if err := b.Delete(t.ctx, driver.DeleteRequest{Key: t.key("never there")}); err != nil {
			t.Errorf("Delete of a thread that never was: error %v, want nil", err)
		}
	}
	t.save(b, t.request("thread"))
	for range 2 {
		if err := b.Delete(t.ctx, driver.DeleteRequest{Key: t.key("thread")}); err != nil {
			t.Errorf("Delete: error %v, want nil", err)
		}
	}
}

// deleteConflict makes a deletion that must conflict, and returns the checkpoint
// that it met. It ends the case if the error is another one or none.
func (t *trial) deleteConflict(b driver.Backend, req driver.DeleteRequest) driver.Info {
	err := b.Delete(t.ctx, req)
	conflict, ok := errors.AsType[*driver.ConflictError](err)
	if !ok || !errors.Is(err, driver.ErrConflict) {
		t.Fatalf("Delete({%q%s}): error %v, want a *driver.ConflictError", req.Thread, showMatch(req.Match), err)
	}
	return conflict.Current
}

func deletionsHold(t *trial) {
	b := t.open()
	for what, match := range map[string]func(driver.Info) driver.Match{
		"the latest id":      func(i driver.Info) driver.Match { return driver.Match{ID: i.ID} },
		"the latest version": func(i driver.Info) driver.Match { return driver.Match{Version: i.Version} },
		"existence":          func(driver.Info) driver.Match { return driver.Match{Exists: true} },
	} {
		for _, n := range []int{1, 4} {
			last := t.grow(b, "thread", n, 3)[n-1]
			if err := b.Delete(t.ctx, driver.DeleteRequest{Key: last.Key, Match: match(last), Now: t.now}); err != nil {
				t.Fatalf("Delete of a thread of %d saves on condition of %s: error %v, want nil", n, what, err)
			}
			for version := range int64(n + 1) {
				t.missing(b, "thread", version, t.now)
			}
			t.versions(b, "thread")
			t.names(b, driver.ListRequest{})
		}
	}
}

func deletionsConflict(t *trial) {
	b := t.open()
	infos := t.grow(b, "thread", 4, 3)
	elsewhere := t.grow(b, "other thread", 2, 3)
	last := infos[3]
	for what, match := range map[string]driver.Match{
		"an id that is kept but not the latest": {ID: infos[2].ID},
		"an id that was dropped":                {ID: infos[0].ID},
		"an id of another thread":               {ID: elsewhere[1].ID},
		"part of the latest id":                 {ID: last.ID[:len(last.ID)-1]},
		"the latest id and more":                {ID: last.ID + "0"},
		"a version that is kept":                {Version: 3},
		"a version that was dropped":            {Version: 1},
		"a version that is not yet there":       {Version: 5},
		"the highest version":                   {Version: driver.MaxVersion},
	} {
		current := t.deleteConflict(b, driver.DeleteRequest{Key: last.Key, Match: match, Now: t.now})
		t.same("ConflictError.Current of a deletion on condition of "+what, current, last)
		t.versions(b, "thread", 4, 3, 2)
		t.latest(b, "thread", 4, last.ID)
	}
}

// conditionsOf are conditions that a thread held in the past, or never.
func conditionsOf(former driver.Info) []driver.Match {
	return []driver.Match{{Exists: true}, {ID: former.ID}, {ID: "never-there"}, {Version: former.Version}, {Version: 1}}
}

func deletionsMissing(t *trial) {
	b := t.open()
	gone := t.grow(b, "deleted", 2, 2)[1]
	t.remove(b, "deleted")
	mortal := t.mortal(b, "expired")
	for what, key := range map[string]driver.Key{"never was": t.key("never there"), "was deleted": gone.Key, "has expired": mortal.Key} {
		former := gone
		if what == "has expired" {
			former.ID, former.Version = mortal.ID, 2
		}
		for _, match := range conditionsOf(former) {
			req := driver.DeleteRequest{Key: key, Match: match, Now: mortal.ExpiresAt}
			t.same(fmt.Sprintf("ConflictError.Current of Delete%s of a thread that %s", showMatch(match), what), t.deleteConflict(b, req), driver.Info{})
		}
		if err := b.Delete(t.ctx, driver.DeleteRequest{Key: key, Now: mortal.ExpiresAt}); err != nil {
			t.Errorf("Delete without a condition of a thread that %s: error %v, want nil", what, err)
		}
	}
	// A microsecond before its expiry a thread is there.
	mortal = t.mortal(b, "expires")
	if err := b.Delete(t.ctx, driver.DeleteRequest{Key: mortal.Key, Match: driver.Match{ID: mortal.ID}, Now: mortal.ExpiresAt.Add(-time.Microsecond)}); err != nil {
		t.Errorf("Delete on condition of the latest id a microsecond before the expiry: error %v, want nil", err)
	}
}

func deletionsFormerLife(t *trial) {
	b := t.open()
	former := t.grow(b, "thread", 3, 5)
	t.remove(b, "thread")
	for version := int64(1); version <= 4; version++ { // past the versions of the former life
		last := t.grow(b, "thread", 1, 5)[0]
		for _, info := range former {
			req := driver.DeleteRequest{Key: last.Key, Match: driver.Match{ID: info.ID}, Now: t.now}
			t.same("ConflictError.Current", t.deleteConflict(b, req), last)
		}
		t.latest(b, "thread", version, last.ID)
	}
}

// deletionsOneOfManyWins lets deletions race for one condition, by id and by
// version, on several handles: in every third round alone, in the others with
// saves.
func deletionsOneOfManyWins(t *trial) {
	const callers = 8
	handles := []*handle{t.open(), t.open()}
	for rounds := t.rounds(12, 6); rounds.next(); {
		round := rounds.begun
		last := t.grow(handles[0], "thread", 2, 3)[1]
		match := driver.Match{ID: last.ID}
		if round%2 == 1 {
			match = driver.Match{Version: last.Version}
		}
		var won, deleted atomic.Int64
		rounds.count(t.together(callers, func(i int) {
			var err error
			if b := handles[i%2]; i/2%2 == 0 || round%3 == 0 {
				if err = b.Delete(t.ctx, driver.DeleteRequest{Key: last.Key, Match: match, Now: t.now}); err == nil {
					deleted.Add(1)
				}
			} else {
				req := t.request("thread")
				req.Keep, req.Match = 3, match
				_, err = b.Save(t.ctx, req)
			}
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, driver.ErrConflict):
				t.Errorf("one of %d deletions and saves%s: error %v, want success or a conflict", callers, showMatch(match), err)
			}
		}))
		if won.Load() != 1 {
			t.Fatalf("round %d: %d of %d deletions and saves%s won, want exactly 1", round, won.Load(), callers, showMatch(match))
		}
		if left := len(t.listed(handles[0], driver.ListRequest{})); left+int(deleted.Load()) != 1 {
			t.Fatalf("round %d: %d deletions won and List yields %d threads", round, deleted.Load(), left)
		}
		t.remove(handles[0], "thread")
	}
}

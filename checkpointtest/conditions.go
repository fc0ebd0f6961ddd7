package checkpointtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

func conditionCases() []testCase {
	return []testCase{
		{name: "Raw/Conditions/LatestID", run: conditionLatestID,
			rule: 4, text: "A save on condition of the latest id succeeds."},
		{name: "Raw/Conditions/OtherID", run: conditionOtherID,
			rule: 4, text: "A save on condition of an id that is not the latest is a conflict and changes nothing."},
		{name: "Raw/Conditions/Absent", run: conditionAbsent,
			rule: 4, text: "A save on condition of absence creates the thread, and is a conflict when it is there."},
		{name: "Raw/Conditions/Version", run: conditionVersion,
			rule: 4, text: "A save on condition of a version succeeds where it is the latest, and is a conflict that changes nothing otherwise."},
		{name: "Raw/Conditions/Exists", run: conditionExists,
			rule: 4, text: "A save on condition of existence succeeds where the thread is there, and is a conflict that creates nothing otherwise."},
		{name: "Raw/Conditions/MissingThread", run: conditionMissingThread,
			rule: 4, text: "A save on condition of an id is a conflict when the thread is absent, and does not create it."},
		{name: "Raw/Conditions/Current", run: conditionCurrent,
			rule: 4, text: "A conflict carries the Info of the latest checkpoint, never one with the id that was asked for; the zero Info when the thread is absent."},
		{name: "Raw/Conditions/FormerLife", run: conditionFormerLife,
			rule: 4, text: "A thread that was deleted and created again never matches an id of its former life."},
	}
}

// raceCases are about conditions that many race for. They come behind what else is
// about concurrent use, on which they build.
func raceCases() []testCase {
	return []testCase{
		{name: "Raw/Conditions/OneOfManyWins", run: conditionOneOfManyWins,
			rule: 4, text: "Of any number of concurrent saves on one condition exactly one succeeds."},
		{name: "Raw/Conditions/OneOfManyVersionsWins", run: conditionOneOfManyVersionsWins,
			rule: 4, text: "Of any number of concurrent saves on one version exactly one succeeds."},
		{name: "Raw/Deletions/OneOfManyWins", run: deletionsOneOfManyWins,
			rule: 4, text: "Of any number of concurrent deletions and saves on one condition exactly one succeeds."},
	}
}

func conditionLatestID(t *trial) {
	b := t.open()
	last := ""
	for version := int64(1); version <= 4; version++ {
		req := t.request("thread")
		req.Keep = 2
		req.Match.ID = last
		if got := t.save(b, req); got.Version != version || got.ID != req.ID {
			t.Fatalf("Save on condition of the latest id returned %s, want version %d with id %s", show(got), version, req.ID)
		}
		last = req.ID
	}
	t.latest(b, "thread", 4, last)
}

func conditionOtherID(t *trial) {
	b := t.open()
	var ids []string
	for range 3 {
		req := t.request("thread")
		req.Keep = 2
		t.save(b, req)
		ids = append(ids, req.ID)
	}
	elsewhere := t.request("other thread")
	t.save(b, elsewhere)
	for what, id := range map[string]string{
		"an id that is kept but not the latest": ids[1],
		"an id that was dropped":                ids[0],
		"an id of another thread":               elsewhere.ID,
		"an id that never was":                  "never-there",
		"part of the latest id":                 ids[2][:len(ids[2])-1],
		"the latest id and more":                ids[2] + "0",
	} {
		req := t.request("thread")
		req.Keep = 2
		req.Match.ID = id
		if info, err := b.Save(t.ctx, req); !errors.Is(err, driver.ErrConflict) {
			t.Errorf("Save on condition of %s = %s, %v, want a conflict", what, show(info), err)
		}
		t.latest(b, "thread", 3, ids[2])
		t.versions(b, "thread", 3, 2)
	}
}

func conditionMissingThread(t *trial) {
	b := t.open()
	req := t.request("thread")
	for _, match := range []driver.Match{{ID: "never-there"}, {ID: "never-there"}, {Version: 1}, {Version: driver.MaxVersion}, {Exists: true}} {
		req.Match = match
		t.same("ConflictError.Current for an absent thread", t.saveConflict(b, req), driver.Info{})
		t.missing(b, "thread", 0, t.now)
		t.names(b, driver.ListRequest{})
	}
}

func conditionAbsent(t *trial) {
	b := t.open()
	first := t.request("thread")
	first.Match.Absent = true
	if got := t.save(b, first); got.Version != 1 || got.ID != first.ID {
		t.Fatalf("Save on condition of absence returned %s, want version 1 with id %s", show(got), first.ID)
	}
	second := t.request("thread")
	second.Match.Absent = true
	if info, err := b.Save(t.ctx, second); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("Save on condition of absence of a thread that is there = %s, %v, want a conflict", show(info), err)
	}
	t.latest(b, "thread", 1, first.ID)
	t.remove(b, "thread")
	third := t.request("thread")
	third.Match.Absent = true
	if got := t.save(b, third); got.Version != 1 {
		t.Errorf("after Delete, Save on condition of absence returned %s, want version 1", show(got))
	}
}

func conditionCurrent(t *trial) {
	b := t.open()
	var last driver.Info
	for i := range 3 {
		req := t.request("thread")
		req.Keep = 2
		req.Now = t.now.Add(time.Duration(i) * time.Minute)
		last = t.save(b, req)
	}
	for _, match := range []driver.Match{{Absent: true}, {ID: "never-there"}, {Version: 2}, {Version: 4}} {
		req := t.request("thread")
		req.Match = match
		req.Now = t.now.Add(time.Hour)
		t.same(fmt.Sprintf("ConflictError.Current of a save with Match %+v", match), t.saveConflict(b, req), last)
	}
	req := t.request("thread")
	req.Match.ID = last.ID
	next := t.save(b, req)
	req = t.request("thread")
	req.Match.ID = last.ID
	t.same("ConflictError.Current of a second save on condition of one id", t.saveConflict(b, req), next)

	// Those who lose a race see who won it, or who came later.
	match := driver.Match{ID: next.ID}
	t.together(8, func(i int) {
		req := t.request("thread")
		req.Match = match
		_, err := b.Save(t.ctx, req)
		if c, ok := errors.AsType[*driver.ConflictError](err); ok && (c.Current.ID == match.ID || c.Current.Version <= next.Version) {
			t.Errorf("a save that lost the race on %s says that the current checkpoint is %s, want the winner", match.ID, show(c.Current))
		}
	})
}

func conditionFormerLife(t *trial) {
	b := t.open()
	var former []string
	for range 2 {
		req := t.request("thread")
		req.Keep = 5
		t.save(b, req)
		former = append(former, req.ID)
	}
	t.remove(b, "thread")
	var last driver.SaveRequest
	for version := int64(1); version <= 3; version++ { // past the versions of the former life
		last = t.request("thread")
		last.Keep = 5
		t.save(b, last)
		for _, id := range former {
			req := t.request("thread")
			req.Match.ID = id
			if info, err := b.Save(t.ctx, req); !errors.Is(err, driver.ErrConflict) {
				t.Fatalf("Save on condition of an id of the former life = %s, %v, want a conflict", show(info), err)
			}
		}
		t.latest(b, "thread", version, last.ID)
	}
}

// conditionVersion is tried past the point where versions are compared as texts,
// and on the numbers of a former life.
func conditionVersion(t *trial) {
	b := t.open()
	for life := range 2 {
		last := t.grow(b, "thread", 1, 3)[0]
		for version := int64(1); version <= 12-5*int64(life); version++ {
			for _, wrong := range []int64{version - 1, version + 1, version + 10, 12, driver.MaxVersion} {
				if wrong == 0 || wrong == version {
					continue
				}
				req := t.request("thread")
				req.Keep, req.Match.Version = 3, wrong
				t.saveConflict(b, req) // with whom is the business of another case
			}
			t.latest(b, "thread", version, last.ID)
			req := t.request("thread")
			req.Keep, req.Match.Version = 3, version
			if last = t.save(b, req); last.Version != version+1 || last.ID != req.ID {
				t.Fatalf("Save on condition of version %d, the latest, returned %s, want version %d", version, show(last), version+1)
			}
		}
		t.versions(b, "thread", down(last.Version, last.Version-2)...)
		t.remove(b, "thread")
	}
}

func conditionExists(t *trial) {
	b := t.open()
	t.grow(b, "deleted", 2, 2)
	t.remove(b, "deleted")
	req := t.request("deleted")
	req.Match.Exists = true
	t.same("ConflictError.Current for a deleted thread", t.saveConflict(b, req), driver.Info{})
	t.missing(b, "deleted", 0, t.now)
	for version := int64(1); version <= 3; version++ {
		req := t.request("thread")
		req.Match.Exists = version > 1
		if got := t.save(b, req); got.Version != version {
			t.Fatalf("Save on condition of existence returned %s, want version %d", show(got), version)
		}
	}
}

// conditionOneOfManyWins lets many savers race first for the absence of the
// thread, then for its latest id.
func conditionOneOfManyWins(t *trial) {
	t.race(driver.Match{Absent: true}, func(won driver.Info) driver.Match { return driver.Match{ID: won.ID} })
}

func conditionOneOfManyVersionsWins(t *trial) {
	t.race(driver.Match{}, func(won driver.Info) driver.Match { return driver.Match{Version: won.Version} })
}

// race lets savers on several handles race for one condition, round after round;
// next is the condition that the winner's checkpoint holds. Where the first is
// none, a save comes before.
func (t *trial) race(match driver.Match, next func(driver.Info) driver.Match) {
	const savers = 8
	handles := []*handle{t.open(), t.open()}
	version := int64(0)
	if match == (driver.Match{}) {
		match, version = next(t.grow(handles[0], "thread", 1, 1)[0]), 1
	}
	for rounds := t.rounds(8, 3); rounds.next(); {
		version++
		type result struct {
			info driver.Info
			err  error
		}
		results := make([]result, savers)
		rounds.count(t.together(savers, func(i int) {
			req := t.request("thread")
			req.Match = match
			info, err := handles[i%len(handles)].Save(t.ctx, req)
			results[i] = result{info, err}
		}))
		var won []driver.Info
		for _, r := range results {
			switch {
			case r.err == nil:
				won = append(won, r.info)
			case !errors.Is(r.err, driver.ErrConflict):
				t.Errorf("round %d: one of %d savers on %+v: error %v, want success or a conflict", rounds.begun, savers, match, r.err)
			}
		}
		if len(won) != 1 {
			t.Fatalf("round %d: %d of %d savers on %+v won, want exactly 1", rounds.begun, len(won), savers, match)
		}
		t.latest(handles[0], "thread", version, won[0].ID)
		match = next(won[0])
	}
}

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
		{name: "Raw/Conditions/MissingThread", run: conditionMissingThread,
			rule: 4, text: "A save on condition of an id is a conflict when the thread is absent, and does not create it."},
		{name: "Raw/Conditions/Absent", run: conditionAbsent,
			rule: 4, text: "A save on condition of absence creates the thread, and is a conflict when it is there."},
		{name: "Raw/Conditions/Current", run: conditionCurrent,
			rule: 4, text: "A conflict carries the Info of the latest checkpoint, never one with the id that was asked for; the zero Info when the thread is absent."},
		{name: "Raw/Conditions/FormerLife", run: conditionFormerLife,
			rule: 4, text: "A thread that was deleted and created again never matches an id of its former life."},
		{name: "Raw/Conditions/OneOfManyWins", run: conditionOneOfManyWins,
			rule: 4, text: "Of any number of concurrent saves on one condition exactly one succeeds."},
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
	req.Match.ID = "never-there"
	for range 2 {
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
	for _, match := range []driver.Match{{Absent: true}, {ID: "never-there"}} {
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

// conditionOneOfManyWins lets many savers on several handles race for one
// condition, round after round: first for the absence of the thread, then for
// its latest id.
func conditionOneOfManyWins(t *trial) {
	const savers, rounds = 8, 8
	handles := []*handle{t.open(), t.open()}
	match := driver.Match{Absent: true}
	for round := range int64(rounds) {
		type result struct {
			info driver.Info
			err  error
		}
		results := make([]result, savers)
		t.together(savers, func(i int) {
			req := t.request("thread")
			req.Match = match
			info, err := handles[i%len(handles)].Save(t.ctx, req)
			results[i] = result{info, err}
		})
		var won []driver.Info
		for _, r := range results {
			switch {
			case r.err == nil:
				won = append(won, r.info)
			case !errors.Is(r.err, driver.ErrConflict):
				t.Errorf("round %d: one of %d savers on %+v: error %v, want success or a conflict", round, savers, match, r.err)
			}
		}
		if len(won) != 1 {
			t.Fatalf("round %d: %d of %d savers on %+v won, want exactly 1", round, len(won), savers, match)
		}
		t.latest(handles[0], "thread", round+1, won[0].ID)
		match = driver.Match{ID: won[0].ID}
	}
}

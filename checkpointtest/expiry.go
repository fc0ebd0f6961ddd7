package checkpointtest

import (
	"errors"
	"slices"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

func expiryCases() []testCase {
	return []testCase{
		{name: "Raw/Expiry/Load", run: expiryLoad,
			rule: 5, text: "From ExpiresAt on, by the Now of the request, Load finds nothing; a microsecond earlier it does."},
		{name: "Raw/Expiry/List", run: expiryList,
			rule: 5, text: "From ExpiresAt on, by the Now of the request, List does not yield the thread; a microsecond earlier it does."},
		{name: "Raw/Expiry/History", run: expiryHistory,
			rule: 5, text: "From ExpiresAt on, by the Now of the request, History is empty; a microsecond earlier it is not."},
		{name: "Raw/Expiry/Conditions", run: expiryConditions,
			rule: 5, text: "An expired thread is absent to conditions: absence holds, and no id matches."},
		{name: "Raw/Expiry/NewLife", run: expiryNewLife,
			rule: 5, text: "The save after expiry is version 1 with a new CreatedAt, and nothing of the former life is left."},
		{name: "Raw/Expiry/FormerIDs", run: expiryFormerIDs,
			rule: 4, text: "A thread that expired and was created again never matches an id of its former life."},
		{name: "Raw/Expiry/SetAfresh", run: expirySetAfresh,
			rule: 5, text: "Each save sets the expiry of the whole thread: later, earlier, or never."},
		{name: "Raw/Expiry/OldVersions", run: expiryOldVersions,
			rule: 5, text: "The ExpiresAt of an older version is as it was recorded, and only the latest version's counts."},
		{name: "Raw/Expiry/FarFuture", run: expiryFarFuture,
			rule: 5, text: "A thread may expire at any time up to the year 9000."},
	}
}

// moments are times around an expiry and whether the thread is alive then.
func (t *trial) moments(expiresAt time.Time) map[time.Time]bool {
	return map[time.Time]bool{
		t.now:                                true,
		expiresAt.Add(-time.Microsecond):     true,
		expiresAt:                            false,
		expiresAt.Add(time.Microsecond):      false,
		expiresAt.Add(100 * 365 * time.Hour): false,
	}
}

// mortal saves two versions of a thread that expires in an hour, and returns
// the second save.
func (t *trial) mortal(b driver.Backend, thread string) driver.SaveRequest {
	var req driver.SaveRequest
	for range 2 {
		req = t.request(thread)
		req.Keep = 2
		req.ExpiresAt = t.now.Add(time.Hour)
		t.save(b, req)
	}
	return req
}

func expiryLoad(t *trial) {
	b := t.open()
	req := t.mortal(b, "thread")
	for now, alive := range t.moments(req.ExpiresAt) {
		for _, version := range []int64{0, 1, 2} {
			if alive {
				t.loadVersion(b, "thread", version, now)
			} else {
				t.missing(b, "thread", version, now)
			}
		}
	}
}

func expiryList(t *trial) {
	b := t.open()
	req := t.mortal(b, "b: expires")
	t.save(b, t.request("a: stays"))
	t.save(b, t.request("c: stays"))
	for now, alive := range t.moments(req.ExpiresAt) {
		want := []string{"a: stays", "c: stays"}
		if alive {
			want = []string{"a: stays", "b: expires", "c: stays"}
		}
		t.names(b, driver.ListRequest{Now: now}, want...)
		// An expired thread takes no place on a page. (That a page is not
		// longer is the business of another case.)
		page := namesOf(t.listed(b, driver.ListRequest{Now: now, Limit: 2}))
		if !slices.Equal(page[:min(2, len(page))], want[:2]) {
			t.Errorf("List(limit=2 now=%s) yielded %q, want %q", clock(now), page, want[:2])
		}
	}
}

func expiryHistory(t *trial) {
	b := t.open()
	req := t.mortal(b, "thread")
	for now, alive := range t.moments(req.ExpiresAt) {
		want := 0
		if alive {
			want = 2
		}
		for before, want := range map[int64]int{0: want, 2: want / 2} {
			infos := t.historyPage(b, driver.HistoryRequest{Key: req.Key, Before: before, Now: now})
			if got := len(infos); got != want {
				t.Errorf("History(before=%d now=%s) of a thread that expires at %s yielded %d versions, want %d",
					before, clock(now), clock(req.ExpiresAt), got, want)
			}
		}
	}
}

func expiryConditions(t *trial) {
	b := t.open()
	former := t.mortal(b, "thread")

	alive := t.request("thread")
	alive.Now = former.ExpiresAt.Add(-time.Microsecond)
	alive.Match.Absent = true
	if info, err := b.Save(t.ctx, alive); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("a microsecond before the expiry Save on condition of absence = %s, %v, want a conflict", show(info), err)
	}

	matching := t.request("thread")
	matching.Now = former.ExpiresAt
	matching.Match.ID = former.ID
	if got := t.saveConflict(b, matching); got.Version != 0 || got.ID != "" {
		t.Errorf("on an expired thread ConflictError.Current is %s, want the zero Info", show(got))
	}

	for _, match := range []driver.Match{{Version: 2}, {Exists: true}} {
		req := t.request("thread")
		req.Now, req.Match = former.ExpiresAt, match
		t.same("ConflictError.Current of an expired thread", t.saveConflict(b, req), driver.Info{})
	}

	absent := t.request("thread")
	absent.Now = former.ExpiresAt
	absent.Match.Absent = true
	if got := t.save(b, absent); got.ID != absent.ID {
		t.Errorf("on an expired thread Save on condition of absence returned %s, want its own id %s", show(got), absent.ID)
	}
}

func expiryNewLife(t *trial) {
	b := t.open()
	for life := range 3 {
		now := t.now.Add(time.Duration(life) * 24 * time.Hour)
		for version := int64(1); version <= 3-int64(life); version++ { // each life is shorter
			req := t.request("thread")
			req.Keep = 5
			req.Now = now.Add(time.Duration(version) * time.Second)
			req.ExpiresAt = req.Now.Add(time.Hour)
			got := t.save(b, req)
			if got.Version != version || version == 1 && !got.CreatedAt.Equal(req.Now) {
				t.Fatalf("life %d: Save returned %s, want version %d, and the first created %s", life+1, show(got), version, clock(req.Now))
			}
			history := t.historyPage(b, driver.HistoryRequest{Key: req.Key, Now: req.Now})
			if got := int64(len(history)); got != version {
				t.Fatalf("life %d: after save %d History yielded %d versions, want %d", life+1, version, got, version)
			}
			if got := t.loadVersion(b, "thread", version, req.Now); got.ID != req.ID {
				t.Fatalf("life %d: version %d has id %s, want %s", life+1, version, got.ID, req.ID)
			}
			t.missing(b, "thread", version+1, req.Now)
		}
	}
}

func expiryFormerIDs(t *trial) {
	b := t.open()
	former := t.mortal(b, "thread")
	now := former.ExpiresAt.Add(time.Hour)
	for version := int64(1); version <= 3; version++ { // past the versions of the former life
		req := t.request("thread")
		req.Keep = 5
		req.Now = now
		t.save(b, req)
		match := t.request("thread")
		match.Now = now
		match.Match.ID = former.ID
		if info, err := b.Save(t.ctx, match); !errors.Is(err, driver.ErrConflict) {
			t.Fatalf("Save on condition of an id of the expired life = %s, %v, want a conflict", show(info), err)
		}
	}
}

func expirySetAfresh(t *trial) {
	b := t.open()
	never := time.Time{}
	hour := func(n int) time.Time { return t.now.Add(time.Duration(n) * time.Hour) }
	for _, step := range []struct {
		change          string
		expiresAt       time.Time
		alive, departed time.Time // zero: not tried
	}{
		{"set", hour(2), hour(1), hour(2)},
		{"made later", hour(6), hour(5), hour(6)},
		{"made earlier", hour(3), hour(2), hour(3)},
		{"taken away", never, hour(1000), never},
		{"set again", hour(4), hour(3), hour(4)},
	} {
		req := t.request("thread")
		req.Keep = 2
		req.ExpiresAt = step.expiresAt
		t.save(b, req)
		if c, err := b.Load(t.ctx, driver.LoadRequest{Key: req.Key, Now: step.alive}); err != nil {
			t.Fatalf("the expiry was %s: Load at %s = %s, %v, want the thread", step.change, clock(step.alive), show(c.Info), err)
		}
		if list := t.listed(b, driver.ListRequest{Now: step.alive}); len(list) != 1 {
			t.Fatalf("the expiry was %s: List at %s yielded %d threads, want 1", step.change, clock(step.alive), len(list))
		}
		if !step.departed.IsZero() {
			t.missing(b, "thread", 0, step.departed.Add(time.Second))
		}
	}
}

func expiryOldVersions(t *trial) {
	b := t.open()
	expiries := []time.Time{t.now.Add(2 * time.Hour), {}, t.now.Add(time.Hour), t.now.Add(9 * time.Hour)}
	for _, at := range expiries {
		req := t.request("thread")
		req.Keep = len(expiries)
		req.ExpiresAt = at
		t.save(b, req)
	}
	now := t.now.Add(5 * time.Hour) // after two of the old ones
	history := t.historyPage(b, driver.HistoryRequest{Key: t.key("thread"), Now: now})
	if len(history) != len(expiries) {
		t.Fatalf("History at %s yielded %d versions, want %d: the latest has not expired", clock(now), len(history), len(expiries))
	}
	for i, info := range history {
		version := int64(len(expiries) - i)
		want := expiries[version-1]
		loaded := t.loadVersion(b, "thread", version, now)
		for _, got := range []driver.Info{info, loaded.Info} {
			if !got.ExpiresAt.Equal(want) {
				t.Errorf("version %d has ExpiresAt %s, want %s as recorded", version, clock(got.ExpiresAt), clock(want))
			}
		}
	}
}

func expiryFarFuture(t *trial) {
	b := t.open()
	for _, at := range []time.Time{
		time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC), // beyond 32 bits of seconds
		time.Date(2262, 4, 12, 0, 0, 0, 0, time.UTC),  // beyond 64 bits of nanoseconds
		time.Date(9000, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		req := t.request("thread")
		req.ExpiresAt = at
		t.save(b, req)
		before, after := at.Add(-time.Second), at.Add(time.Second)
		if got := t.loadVersion(b, "thread", 0, before); !got.ExpiresAt.Equal(at) {
			t.Errorf("ExpiresAt is %s, want %s", clock(got.ExpiresAt), clock(at))
		}
		t.missing(b, "thread", 0, after)
	}
}

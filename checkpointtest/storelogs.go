package checkpointtest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

// The cases about what package checkpoint does with a driver's optional
// interface or without it: each runs on the backend as it is, and again on one
// that has none, so that the portable ways over History, Load, List and Delete
// are tried with this driver too.
func storeLogCases() []testCase {
	return []testCase{
		{name: "Store/Deletions", run: storeDeletions,
			rule: 4, text: "IfMatch, IfVersion and IfExists let a deletion through, or return ErrConflict, of IfExists ErrNotFound."},
		{name: "Store/Versioned", run: storeVersioned,
			rule: 4, text: "IfVersion and IfExists let a save through or return a conflict with the current Info."},
		{name: "Store/OwnIDs", run: onBoth(storeOwnIDs),
			rule: 3, text: "A save or Update with the caller's own id is applied once, and Find finds it."},
		{name: "Store/Log", heavy: true, run: onBoth(storeLog),
			rule: 6, text: "A thread that keeps all versions is a log: appended to by IfVersion, read by Versions."},
		{name: "Store/LogUnderway", heavy: true, run: storeLogsUnderway,
			rule: 6, text: "Versions leaves out what is dropped under the loop, ends with a deletion, and mixes in no later life."},
		{name: "Store/LogDamaged", run: onBoth(storeLogDamaged),
			rule: 8, text: "A version whose state cannot be read is an error of its Decode, and the loop goes on."},
		{name: "Store/DeletePrefix", run: onBoth(storeDeletePrefix),
			rule: 10, text: "DeletePrefix removes the threads under a prefix and counts the live ones."},
	}
}

// plain is a backend without optional interfaces.
type plain struct{ driver.Backend }

// An opener makes a store on a handle of its own.
type opener func(opts ...checkpoint.Option) *checkpoint.Store

// onBoth runs a case on the backend as it is and on one without optional
// interfaces, in namespaces of their own.
func onBoth(run func(*trial, opener)) func(*trial) {
	return func(t *trial) {
		run(t, t.store)
		t.namespace += ".plain"
		run(t, t.plainStore)
	}
}

// plainStore makes a store on a handle without optional interfaces.
func (t *trial) plainStore(opts ...checkpoint.Option) *checkpoint.Store {
	return t.storeOn(plain{t.open()}, opts...)
}

func storeDeletions(t *trial) {
	s := t.store(checkpoint.WithHistory(3))
	for name, condition := range map[string]checkpoint.Condition{
		"IfMatch": checkpoint.IfMatch("never-there"), "IfVersion": checkpoint.IfVersion(7), "IfExists": checkpoint.IfExists(),
	} {
		want := checkpoint.ErrConflict
		if name == "IfExists" {
			want = checkpoint.ErrNotFound
		}
		t.is("Store.Delete "+name+" of an absent thread", s.Delete(t.ctx, "thread", condition), want)
	}
	for _, condition := range []func(checkpoint.Info) checkpoint.Condition{
		func(i checkpoint.Info) checkpoint.Condition { return checkpoint.IfMatch(i.ID) },
		func(i checkpoint.Info) checkpoint.Condition { return checkpoint.IfVersion(i.Version) },
		func(checkpoint.Info) checkpoint.Condition { return checkpoint.IfExists() },
	} {
		first, last := t.put(s, "thread", newAgent(1)), t.put(s, "thread", newAgent(2))
		t.is("Store.Delete IfMatch of an older id", s.Delete(t.ctx, "thread", checkpoint.IfMatch(first.ID)), checkpoint.ErrConflict)
		err := s.Delete(t.ctx, "thread", checkpoint.IfVersion(first.Version))
		t.is("Store.Delete IfVersion of an older version", err, checkpoint.ErrConflict)
		if c, ok := errors.AsType[*checkpoint.ConflictError](err); ok {
			t.same("ConflictError.Current", c.Current, last)
		}
		t.step(s, "thread", 2, 2)
		if err := s.Delete(t.ctx, "thread", condition(last)); err != nil {
			t.Errorf("Store.Delete on a condition that holds: error %v, want nil", err)
		}
		_, err = s.Stat(t.ctx, "thread")
		t.is("Store.Stat after Delete", err, checkpoint.ErrNotFound)
	}
}

func storeVersioned(t *trial) {
	s := t.store()
	_, err := s.Save(t.ctx, "thread", newAgent(1), checkpoint.IfExists())
	t.is("Store.Save IfExists of an absent thread", err, checkpoint.ErrConflict)
	for step := int64(1); step <= 4; step++ {
		info := t.put(s, "thread", newAgent(step), checkpoint.IfVersion(step-1))
		_, err = s.Save(t.ctx, "thread", newAgent(9), checkpoint.IfVersion(step-1))
		t.is("Store.Save IfVersion of the version before", err, checkpoint.ErrConflict)
		if c, ok := errors.AsType[*checkpoint.ConflictError](err); ok {
			t.same("ConflictError.Current", c.Current, info)
		}
	}
	t.put(s, "thread", newAgent(5), checkpoint.IfExists())
	t.step(s, "thread", 5, 5)
}

func storeOwnIDs(t *trial, open opener) {
	s := open(checkpoint.WithHistory(3))
	const id = "order-17_A.b~c"
	first := t.put(s, "thread", newAgent(1), checkpoint.WithID(id))
	if first.ID != id {
		t.Errorf("Store.Save with the id %s returned %s", id, show(first))
	}
	t.put(s, "thread", newAgent(2))
	again := t.put(open(checkpoint.WithHistory(3)), "thread", newAgent(7), checkpoint.WithID(id), checkpoint.IfVersion(9))
	t.same("Store.Save with the id of a kept version", again, first)
	for range 2 {
		info, err := checkpoint.Update(t.ctx, s, "thread", func(a *agent) error { *a = newAgent(a.Step + 1); return nil }, checkpoint.WithID("update-1"))
		if err != nil || info.Version != 3 || info.ID != "update-1" {
			t.Errorf("Update with an id = %s, %v, want version 3 each time", show(info), err)
		}
	}
	t.step(s, "thread", 3, 3)
	found, err := s.Find(t.ctx, "thread", id)
	if err != nil {
		t.Errorf("Store.Find(%s): error %v, want the first save's Info", id, err)
	}
	t.same("Store.Find", found, first)
	t.put(s, "thread", newAgent(4)) // drops the first
	for thread, id := range map[string]string{"thread": id, "other": "update-1"} {
		_, err = s.Find(t.ctx, thread, id)
		t.is(fmt.Sprintf("Store.Find(%q, %s), which is not kept", thread, id), err, checkpoint.ErrNotFound)
	}
}

// follow returns the steps of the versions that a loop yields, and calls body
// after each.
func (t *trial) follow(s *checkpoint.Store, opts checkpoint.VersionsOptions, body func(n int)) []int64 {
	var steps []int64
	for v, err := range s.Versions(t.ctx, "log", opts) {
		if err != nil {
			t.Fatalf("Store.Versions(%+v) yielded error %v after %d versions, want none", opts, err, len(steps))
		}
		for range 2 { // Decode can be called again
			var a agent
			if err := v.Decode(&a); err != nil || !reflect.DeepEqual(a, newAgent(a.Step)) {
				t.Fatalf("Store.Versions, version %d: Decode gives %+v, %v", v.Version, a, err)
			}
			if a.Done[0] = "changed by the caller"; a.Step%1000 != v.Version {
				t.Errorf("Store.Versions, version %d decodes to step %d", v.Version, a.Step)
			}
			if len(steps) == 0 || steps[len(steps)-1] != a.Step {
				steps = append(steps, a.Step)
			}
		}
		body(len(steps))
	}
	return steps
}

// appendTo appends events to the log.
func (t *trial) appendTo(s *checkpoint.Store, from, to, life int64) {
	for step := from; step <= to; step++ {
		t.put(s, "log", newAgent(life+step), checkpoint.IfVersion(step-1))
	}
}

func storeLog(t *trial, open opener) {
	s := open(checkpoint.WithHistory(checkpoint.KeepAll))
	nothing := func(int) {}
	if got := t.follow(s, checkpoint.VersionsOptions{}, nothing); len(got) > 0 {
		t.Errorf("Store.Versions of an absent thread yielded %d", got)
	}
	const n = driver.VersionsPage + 5
	t.appendTo(s, 1, n, 0)
	for _, test := range []struct {
		opts checkpoint.VersionsOptions
		want []int64
	}{
		{checkpoint.VersionsOptions{}, up(1, n)},
		{checkpoint.VersionsOptions{Newest: true}, down(n, 1)},
		{checkpoint.VersionsOptions{From: n - 2}, up(n-2, n)},
		{checkpoint.VersionsOptions{From: n + 1}, nil},
		{checkpoint.VersionsOptions{From: 3, To: 5, Newest: true}, down(5, 3)},
		{checkpoint.VersionsOptions{To: 9, Limit: 4}, up(1, 4)},
		{checkpoint.VersionsOptions{Newest: true, Limit: 1}, down(n, n)},
	} {
		if got := t.follow(s, test.opts, nothing); !slices.Equal(got, test.want) {
			t.Errorf("Store.Versions(%+v) yielded %d, want %d", test.opts, got, test.want)
		}
	}
}

func storeLogsUnderway(t *trial) {
	t.logUnderway(t.store, true)
	t.namespace += ".plain"
	t.logUnderway(t.plainStore, false)
}

// logUnderway trims a log under the loop, and deletes one, read with the newest first
// where a next life is begun.
func (t *trial) logUnderway(open opener, newest bool) {
	const n = driver.VersionsPage + 5
	all, few := open(checkpoint.WithHistory(checkpoint.KeepAll)), open(checkpoint.WithHistory(5))
	t.appendTo(all, 1, n, 0)
	got := t.follow(all, checkpoint.VersionsOptions{}, func(seen int) {
		if seen == 2 {
			t.put(few, "log", newAgent(n+1))
		}
	})
	if len(got) < 6 || !slices.IsSorted(got) || !slices.Contains(got, n) {
		t.Errorf("Store.Versions of a log that was trimmed under the loop yielded %d, want what was read before and what was kept", got)
	}
	t.put(all, "log", newAgent(n+2))
	if err := all.Delete(t.ctx, "log"); err != nil {
		t.Fatalf("Store.Delete: %v", err)
	}
	t.appendTo(all, 1, n, 1000)
	got = t.follow(all, checkpoint.VersionsOptions{Newest: newest}, func(seen int) {
		if seen != 2 {
			return
		}
		if err := all.Delete(t.ctx, "log"); err != nil {
			t.Fatalf("Store.Delete: %v", err)
		}
		t.elapsed.Add(1e9)
		if newest {
			t.appendTo(all, 1, 4, 9000)
		}
	})
	if len(got) >= n || slices.ContainsFunc(got, func(step int64) bool { return step > 9000 }) {
		t.Errorf("Store.Versions of a log that was deleted under the loop yielded %d, want no more than a page of the first life", got)
	}
}

func storeLogDamaged(t *trial, open opener) {
	s := open(checkpoint.WithHistory(5))
	t.appendTo(s, 1, 1, 0)
	odd := t.request("log")
	odd.Keep, odd.Encoding, odd.Payload = 5, "json+unknown", []byte("of another program")
	odd.Now = t.clock()
	t.save(t.open(), odd)
	t.put(s, "log", newAgent(3))
	var got []int64
	for v, err := range s.Versions(t.ctx, "log", checkpoint.VersionsOptions{}) {
		if err != nil {
			t.Fatalf("Store.Versions of a log with a state that cannot be read yielded error %v, want that of Decode", err)
		}
		got = append(got, v.Version)
		if err := v.Decode(new(agent)); errors.Is(err, checkpoint.ErrCorrupt) != (v.Version == 2) {
			t.Errorf("Decode of version %d: error %v", v.Version, err)
		}
	}
	if !slices.Equal(got, up(1, 3)) {
		t.Errorf("Store.Versions of a log with a state that cannot be read yielded %d, want 1 to 3", got)
	}
}

func storeDeletePrefix(t *trial, open opener) {
	s := open()
	for _, thread := range append(numbered("user%", 5), "user", "userx-0001", "User%-0001") {
		t.put(s, thread, newAgent(1))
	}
	if n, err := s.DeletePrefix(t.ctx, "user%"); err != nil || n != 5 {
		t.Errorf("Store.DeletePrefix = %d, %v, want 5", n, err)
	}
	got := namesOf(t.pull("Store.List", s.List(t.ctx, checkpoint.ListOptions{})))
	if want := []string{"User%-0001", "user", "userx-0001"}; !slices.Equal(got, want) {
		t.Errorf("after Store.DeletePrefix List yields %q, want %q", got, want)
	}
	if _, err := s.DeletePrefix(t.ctx, ""); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Errorf("Store.DeletePrefix of everything: error %v, want ErrInvalid", err)
	}
}

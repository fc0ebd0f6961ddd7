package checkpointtest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// The cases about what readers see between the writes of one save.
func betweenCases() []testCase {
	return []testCase{
		{name: "Raw/Save/SeenWhole", run: saveSeenWhole,
			rule: 2, text: "A save is seen entirely or not at all by readers that never stop: Load, History, List and Find agree."},
		{name: "Raw/Save/FirstSeenWhole", run: saveFirstSeenWhole,
			rule: 2, text: "A thread's first save is seen entirely or not at all: what is listed can be loaded, and what can be loaded is listed."},
	}
}

// watching is how long readers look for what lies between two writes.
func (t *trial) watching() time.Duration {
	return time.Duration(t.often(300, 100)) * time.Millisecond
}

// A view is what a reader sees of one thread.
type view struct {
	*trial
	b    *handle
	key  driver.Key
	keep int64
}

// latest returns the latest checkpoint's Info, the zero Info of an absent thread.
func (v view) latest() (driver.Info, error) {
	c, err := v.b.Load(v.ctx, driver.LoadRequest{Key: v.key, Now: v.now})
	if errors.Is(err, driver.ErrNotFound) {
		return driver.Info{}, nil
	}
	return c.Info, err
}

// history returns the first Info of the thread's history, the zero Info if it is empty.
func (v view) history() (driver.Info, error) {
	for info, err := range v.b.History(v.ctx, driver.HistoryRequest{Key: v.key, Limit: 1, Now: v.now}) {
		return info, err
	}
	return driver.Info{}, nil
}

// list returns the first thread that has the thread's name as a prefix.
func (v view) list() (driver.Info, error) {
	for info, err := range v.b.List(v.ctx, driver.ListRequest{Namespace: v.key.Namespace, Prefix: v.key.Thread, Limit: 1, Now: v.now}) {
		return info, err
	}
	return driver.Info{}, nil
}

// agrees checks that a version that one call has shown is there for the others. They
// may be newer by now, and then it may have been dropped.
func (v view) agrees(call string, seen driver.Info) bool {
	for _, other := range []struct {
		call string
		read func() (driver.Info, error)
	}{{"Load", v.latest}, {"History", v.history}, {"List", v.list}} {
		if other.call == "List" && v.suite.listLag > 0 {
			continue
		}
		if info, err := other.read(); err != nil || info.Version < seen.Version {
			v.Errorf("%s showed version %d, and then %s showed version %d, error %v", call, seen.Version, other.call, info.Version, err)
			return false
		}
	}
	c, err := v.b.Load(v.ctx, driver.LoadRequest{Key: v.key, Version: seen.Version, Now: v.now})
	if err == nil && c.ID != seen.ID {
		v.Errorf("%s showed version %d with id %s, and then Load of it showed id %s", call, seen.Version, seen.ID, c.ID)
		return false
	}
	if err == nil && has[driver.Finder](v.b.inner) {
		_, err = v.b.Find(v.ctx, driver.FindRequest{Key: v.key, ID: seen.ID, Now: v.now})
	}
	if err == nil {
		return true
	}
	latest, err2 := v.latest()
	if err2 == nil && latest.Version-seen.Version >= v.keep {
		return true // it has been dropped
	}
	v.Errorf("%s showed version %d, and then Load of it or Find of its id: error %v; the latest version is %d, and %d are kept", call, seen.Version, err, latest.Version, v.keep)
	return false
}

func saveSeenWhole(t *trial) {
	const keep = 50
	b := t.open()
	v := view{t, t.open(), t.key("thread"), keep}
	t.grow(b, "thread", 1, keep)
	look := func(call string, read func() (driver.Info, error)) bool {
		seen, err := read()
		if err != nil || seen.Version == 0 {
			t.Errorf("%s beside saves: version %d, error %v", call, seen.Version, err)
			return false
		}
		return v.agrees(call, seen)
	}
	t.besideFor(t.watching(), func(int) bool {
		req := t.request("thread")
		req.Keep = keep
		_, err := b.Save(t.ctx, req)
		if err != nil {
			t.Errorf("Save: %v", err)
		}
		return err == nil
	}, func() bool {
		return look("Load", v.latest)
	}, func() bool {
		return look("History", v.history)
	}, func() bool {
		return look("List", v.list)
	})
}

func saveFirstSeenWhole(t *trial) {
	b, reader := t.open(), t.open()
	name := func(n int64) string { return fmt.Sprintf("thread-%06d", 999_999-n) } // the newest is listed first
	var saving atomic.Int64
	t.save(b, t.request(name(0)))
	t.besideFor(t.watching(), func(int) bool {
		_, err := b.Save(t.ctx, t.request(name(saving.Add(1))))
		if err != nil {
			t.Errorf("Save: %v", err)
		}
		return err == nil
	}, func() bool { // what is listed
		for info, err := range reader.List(t.ctx, driver.ListRequest{Namespace: t.namespace, Limit: 1, Now: t.now}) {
			if err != nil {
				t.Errorf("List: %v", err)
				return false
			}
			return view{t, reader, info.Key, 1}.agrees("List", info)
		}
		t.Errorf("List beside first saves yielded nothing")
		return false
	}, func() bool { // what can be loaded
		v := view{t, reader, t.key(name(saving.Load())), 1}
		info, err := v.latest()
		if err != nil {
			t.Errorf("Load: %v", err)
			return false
		}
		return info.Version == 0 || v.agrees("Load", info)
	})
}

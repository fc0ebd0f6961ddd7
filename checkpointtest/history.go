package checkpointtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

func historyCases() []testCase {
	return []testCase{
		{name: "Raw/History/Window", run: historyWindow,
			rule: 6, text: "After a save exactly the newest min(Keep, version) versions remain, newest first, without gaps."},
		{name: "Raw/History/Lowered", run: historyLowered,
			rule: 6, text: "When Keep becomes less the next save leaves no more than Keep."},
		{name: "Raw/History/Raised", run: historyRaised,
			rule: 6, text: "When Keep becomes more history grows by one version a save, without gaps."},
		{name: "Raw/History/Dropped", run: historyDropped,
			rule: 6, text: "A version that is not kept, or not yet there, is not found."},
		{name: "Raw/History/Payloads", run: historyPayloads,
			rule: 8, text: "Every kept version loads with its own payload."},
		{name: "Raw/History/Infos", run: historyInfos,
			rule: 6, text: "History yields for each version the Info that its save returned."},
		{name: "Raw/History/Pages", run: historyPages,
			rule: 6, text: "Before leaves only lower versions, Limit bounds their number, 0 is all."},
		{name: "Raw/History/Absent", run: historyAbsent,
			rule: 6, text: "The history of an absent thread is empty and no error."},
		{name: "Raw/History/Deleted", run: historyDeleted,
			rule: 2, text: "Delete removes every version, and the next life starts at version 1."},
		{name: "Raw/History/LoopBody", run: historyLoopBody,
			rule: 7, text: "The body of a loop over History may call any method of the backend, and may end the loop."},
		{name: "Raw/History/WhileSaving", run: historyWhileSaving,
			rule: 6, text: "A history read while the thread is saved is newest first, without gaps and no longer than Keep."},
	}
}

// grow saves n versions of a thread with one Keep and returns their Infos,
// oldest first.
func (t *trial) grow(b driver.Backend, thread string, n, keep int) []driver.Info {
	infos := make([]driver.Info, n)
	for i := range infos {
		req := t.request(thread)
		req.Keep = keep
		infos[i] = t.save(b, req)
	}
	return infos
}

// down returns the numbers from high to low.
func down(high, low int64) []int64 {
	var numbers []int64
	for n := high; n >= low; n-- {
		numbers = append(numbers, n)
	}
	return numbers
}

func historyWindow(t *trial) {
	b := t.open()
	for _, keep := range []int{1, 2, 3, 7} {
		thread := fmt.Sprint("keep-", keep)
		for version := int64(1); version <= 9; version++ {
			t.grow(b, thread, 1, keep)
			t.versions(b, thread, down(version, max(1, version-int64(keep)+1))...)
		}
	}
}

func historyLowered(t *trial) {
	b := t.open()
	t.grow(b, "thread", 9, 9)
	t.grow(b, "thread", 1, 4)
	t.versions(b, "thread", down(10, 7)...)
	t.grow(b, "thread", 1, 1)
	t.versions(b, "thread", 11)
}

func historyRaised(t *trial) {
	b := t.open()
	t.grow(b, "thread", 6, 2)
	for version := int64(7); version <= 10; version++ {
		t.grow(b, "thread", 1, 5)
		t.versions(b, "thread", down(version, max(5, version-4))...)
	}
	t.grow(b, "thread", 2, driver.KeepAll)
	t.versions(b, "thread", down(12, 6)...)
}

func historyDropped(t *trial) {
	b := t.open()
	t.grow(b, "thread", 5, 2)
	for _, version := range []int64{1, 2, 3, 6, 7, driver.MaxVersion} {
		t.missing(b, "thread", version, t.now)
	}
	for _, version := range []int64{4, 5} {
		if got := t.loadVersion(b, "thread", version, t.now); got.Version != version {
			t.Errorf("Load(version=%d) returned version %d", version, got.Version)
		}
	}
	t.missing(b, "no such thread", 0, t.now)
	t.missing(b, "no such thread", 1, t.now)
}

func historyPayloads(t *trial) {
	b := t.open()
	const versions = 8
	payload := func(version int64) []byte { return fmt.Appendf(nil, "payload of version %d", version) }
	for version := int64(1); version <= versions; version++ {
		req := t.request("thread")
		req.Keep = 5
		req.Encoding = "bytes"
		req.Payload = payload(version)
		t.save(b, req)
	}
	for _, version := range down(versions, versions-4) {
		got := t.loadVersion(b, "thread", version, t.now)
		if diff := diffBytes(got.Payload, payload(version)); diff != "" {
			t.Errorf("payload of version %d: %s", version, diff)
		}
	}
}

func historyInfos(t *trial) {
	b := t.open()
	var want []driver.Info
	for i := range 6 {
		req := t.request("thread")
		req.Keep = 4
		req.Now = t.now.Add(time.Duration(i) * time.Second)
		req.Payload = fmt.Appendf(nil, `{"step":"%s"}`, strings.Repeat("x", i))
		if i != 4 {
			req.Metadata = map[string]string{"number": fmt.Sprint(i)}
		}
		want = append(want, t.save(b, req))
	}
	got := t.historyOf(b, "thread")
	if len(got) != 4 {
		t.Fatalf("History yielded %d versions, want 4", len(got))
	}
	for i, info := range got {
		saved := want[len(want)-1-i]
		t.same(fmt.Sprintf("History, version %d", saved.Version), info, saved)
		t.same(fmt.Sprintf("Load of version %d", saved.Version), t.loadVersion(b, "thread", saved.Version, t.now).Info, saved)
	}
}

func historyPages(t *trial) {
	b := t.open()
	t.grow(b, "thread", 10, 10)
	for _, test := range []struct {
		before int64
		limit  int
		want   []int64
	}{
		{0, 0, down(10, 1)},
		{0, 1, down(10, 10)},
		{0, 4, down(10, 7)},
		{0, 10, down(10, 1)},
		{0, 1000, down(10, 1)},
		{11, 0, down(10, 1)},
		{10, 0, down(9, 1)},
		{6, 2, down(5, 4)},
		{3, 7, down(2, 1)},
		{2, 0, down(1, 1)},
		{1, 0, nil},
		{1, 5, nil},
		{driver.MaxVersion, 3, down(10, 8)},
	} {
		req := driver.HistoryRequest{Key: t.key("thread"), Before: test.before, Limit: test.limit, Now: t.now}
		if got := versionsOf(t.historyPage(b, req)); !slices.Equal(got, test.want) {
			t.Errorf("History(before=%d limit=%d) yielded versions %d, want %d", test.before, test.limit, got, test.want)
		}
	}
}

func historyAbsent(t *trial) {
	b := t.open()
	t.save(b, t.request("thread"))
	for _, thread := range []string{"thread ", "threa", "other"} {
		for _, before := range []int64{0, 1, 100} {
			for info, err := range b.History(t.ctx, driver.HistoryRequest{Key: t.key(thread), Before: before, Now: t.now}) {
				t.Errorf("History(%q before=%d) yielded %s, %v, want nothing", thread, before, show(info), err)
			}
		}
	}
}

func historyDeleted(t *trial) {
	b := t.open()
	t.grow(b, "thread", 5, 5)
	t.remove(b, "thread")
	for _, version := range down(5, 0) {
		t.missing(b, "thread", version, t.now)
	}
	t.versions(b, "thread")
	t.names(b, driver.ListRequest{})
	t.grow(b, "thread", 2, 5)
	t.versions(b, "thread", 2, 1)
	t.missing(b, "thread", 3, t.now)
}

func historyLoopBody(t *trial) {
	b := t.open()
	t.grow(b, "thread", 5, 5)
	t.grow(b, "other", 2, 5)
	n := 0
	for info, err := range b.History(t.ctx, driver.HistoryRequest{Key: t.key("thread"), Now: t.now}) {
		if err != nil {
			t.Fatalf("History yielded error %v after %d versions", err, n)
		}
		n++
		t.anything(b, fmt.Sprintf("new-%d", info.Version))
		for range b.History(t.ctx, driver.HistoryRequest{Key: t.key("other"), Now: t.now}) {
			break
		}
	}
	if n != 5 {
		t.Errorf("the loop over 5 versions ran %d times", n)
	}
	for range b.History(t.ctx, driver.HistoryRequest{Key: t.key("thread"), Now: t.now}) {
		t.remove(b, "thread")
		break
	}
	t.missing(b, "thread", 0, t.now)
}

// anything calls what a loop's body may call.
func (t *trial) anything(b driver.Backend, thread string) {
	t.save(b, t.request(thread))
	t.load(b, thread)
	t.historyOf(b, thread)
	t.listed(b, driver.ListRequest{Limit: 2})
	t.remove(b, thread)
}

func historyWhileSaving(t *trial) {
	const keep = 5
	b, reader := t.open(), t.open()
	t.grow(b, "thread", keep, keep)
	read := func() bool {
		var got []int64
		for info, err := range reader.History(t.ctx, driver.HistoryRequest{Key: t.key("thread"), Now: t.now}) {
			if err != nil {
				t.Errorf("History: %v", err)
				return false
			}
			got = append(got, info.Version)
		}
		if len(got) == 0 || len(got) > keep || !slices.Equal(got, down(got[0], got[len(got)-1])) {
			t.Errorf("a history read during saves that keep %d holds versions %d", keep, got)
			return false
		}
		c, err := reader.Load(t.ctx, driver.LoadRequest{Key: t.key("thread"), Version: got[0], Now: t.now})
		if err == nil && c.Version != got[0] || err != nil && !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("Load(version=%d) = %s, %v", got[0], show(c.Info), err)
			return false
		}
		return true
	}
	saves := t.beside(func(int) bool {
		req := t.request("thread")
		req.Keep = keep
		_, err := b.Save(t.ctx, req)
		if err != nil {
			t.Errorf("Save: %v", err)
		}
		return err == nil
	}, read, read)
	t.versions(b, "thread", down(int64(saves)+keep, int64(saves)+1)...)
}

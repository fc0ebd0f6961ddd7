package checkpointtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// The cases about long histories and high versions.
func longHistoryCases() []testCase {
	return []testCase{
		{name: "Raw/History/Long", heavy: true, run: historyLong,
			rule: 6, text: "KeepAll drops nothing: a history of more than 1,000 versions is kept, listed and loaded as a short one."},
		{name: "Raw/Import/Numbers", needs: "Importer", run: importNumbers,
			rule: 6, text: "Versions are in the order of their numbers, however high these are."},
		{name: "Raw/Import/Highest", needs: "Importer", run: importHighest,
			rule: 6, text: "A save to a thread at the highest version is ErrInvalid and changes nothing."},
	}
}

// enough reports whether a case has made enough of something that it would make more
// of: these have taken two seconds and are least, which is more than the pages of 256
// that databases have. The note says how many it was.
func (t *trial) enough(began time.Time, made, least, most int, what string) bool {
	took := time.Since(began)
	if made >= most || made < least || took <= t.suite.patience {
		return made >= most
	}
	t.note("tried with %d %s and not %d, at %v each", made, what, most, (took / time.Duration(made)).Round(time.Microsecond))
	return true
}

// aPage is more than the pages of 256 that databases have.
const aPage = 260

// longLog saves versions of a thread until there are more than pages of 1,000 hold, or
// enough.
func (t *trial) longLog(b driver.Backend, thread string) map[int64]driver.Info {
	infos := make(map[int64]driver.Info)
	for began := time.Now(); !t.enough(began, len(infos), aPage, 1_030, "versions"); {
		maps.Copy(infos, t.log(b, thread, 10, driver.KeepAll))
	}
	return infos
}

func historyLong(t *trial) {
	b := t.open()
	infos := t.longLog(b, "thread")
	n := int64(len(infos))
	for _, page := range []struct {
		before int64
		limit  int
		want   []int64
	}{
		{0, 0, down(n, 1)},
		{0, int(n) - 1, down(n, 2)},
		{0, 1 << 40, down(n, 1)},
		{n - 1, 0, down(n-2, 1)},
		{n / 2, 5, down(n/2-1, n/2-5)},
		{129, 3, down(128, 126)},
	} {
		history := t.historyPage(b, driver.HistoryRequest{Key: t.key("thread"), Before: page.before, Limit: page.limit, Now: t.now})
		if got := versionsOf(history); !slices.Equal(got, page.want) {
			t.Fatalf("History(before=%d limit=%d) of %d versions yielded %s", page.before, page.limit, n, diffVersions(got, page.want))
		}
		for _, info := range history {
			if info.ID != infos[info.Version].ID {
				t.Fatalf("History yielded version %d with id %s, want %s", info.Version, info.ID, infos[info.Version].ID)
			}
		}
	}
	for _, version := range []int64{1, 2, 100, 127, 128, 255, 256, 257, 512, 999, 1_000, 1_001, n} {
		if version <= n {
			got := t.loadVersion(b, "thread", version, t.now)
			t.events([]driver.Checkpoint{got}, infos)
		}
	}
	t.missing(b, "thread", n+1, t.now)
	t.grow(b, "thread", 1, 3) // and all of it goes in one step
	t.versions(b, "thread", n+1, n, n-1)
	t.missing(b, "thread", 1, t.now)
}

// diffVersions says where got leaves want.
func diffVersions(got, want []int64) string {
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	at := func(versions []int64) string {
		if i < len(versions) {
			return fmt.Sprint(versions[i])
		}
		return "the end"
	}
	return fmt.Sprintf("%d versions, want %d; at index %d it yielded %s, want %s", len(got), len(want), i, at(got), at(want))
}

// importNumbers has versions on both sides of the numbers at which other orders part:
// of texts, of bytes from the lowest on, of numbers with fewer bits or a sign.
func importNumbers(t *trial) {
	b := t.open()
	began := time.Now()
	for i, number := range []int64{driver.MaxVersion - 1, 256, 1 << 32, 10, 65_536, 1 << 31, 100, 128, 1_000, 32_768, 1 << 24} {
		if t.enough(began, i, 3, 11, "numbers to have versions around") {
			return
		}
		thread := fmt.Sprint("at ", number)
		first, last := number-2, number+1
		reqs := t.imported(b, thread, first, last, 10)
		t.versions(b, thread, down(last, first)...)
		t.latest(b, thread, last, reqs[len(reqs)-1].ID)
		for _, req := range reqs {
			if got := t.loadVersion(b, thread, req.Version, t.now); got.ID != req.ID || got.Version != req.Version {
				t.Errorf("Load(version=%d) = %s, want id %s", req.Version, show(got.Info), req.ID)
			}
		}
		page := t.historyPage(b, driver.HistoryRequest{Key: t.key(thread), Before: number, Limit: 1, Now: t.now})
		if got := versionsOf(page); !slices.Equal(got, []int64{number - 1}) {
			t.Errorf("History(before=%d limit=1) yielded versions %d, want %d", number, got, number-1)
		}
		if !has[driver.VersionReader](b.inner) {
			continue
		}
		for _, newest := range []bool{false, true} {
			want := up(number-1, last)
			if newest {
				slices.Reverse(want)
			}
			if got := numbersOf(t.read(b, driver.VersionsRequest{Key: t.key(thread), From: number - 1, Newest: newest})); !slices.Equal(got, want) {
				t.Errorf("Versions(from=%d newest=%t) yielded %d, want %d", number-1, newest, got, want)
			}
		}
	}
}

func importHighest(t *trial) {
	b := t.open()
	last := t.imported(b, "thread", driver.MaxVersion-1, driver.MaxVersion, 3)[1]
	for _, match := range []driver.Match{{}, {ID: last.ID}, {Version: driver.MaxVersion}} {
		req := t.request("thread")
		req.Keep, req.Match = 3, match
		info, err := b.Save(t.ctx, req)
		if !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("Save at the highest version, %d: %s, error %v, want ErrInvalid", int64(driver.MaxVersion), show(info), err)
		}
	}
	t.latest(b, "thread", driver.MaxVersion, last.ID)
	t.versions(b, "thread", driver.MaxVersion, driver.MaxVersion-1)
	repeat := t.request("thread")
	repeat.ID, repeat.Keep = last.ID, 3
	if got := t.save(b, repeat); got.Version != driver.MaxVersion {
		t.Errorf("a repeated Save of the highest version returned %s, want that version", show(got))
	}
	t.remove(b, "thread")
	if got := t.save(b, t.request("thread")); got.Version != 1 {
		t.Errorf("Save after Delete of a thread at the highest version returned %s, want version 1", show(got))
	}
}

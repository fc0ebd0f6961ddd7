package checkpointtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// The cases about driver.VersionReader.
func versionCases() []testCase {
	return []testCase{
		{name: "Raw/Versions/Copied", needs: "VersionReader", run: versionsCopied,
			rule: 8, text: "A payload that Versions yielded belongs to the caller, and stays as it is when the loop goes on."},
		{name: "Raw/Versions/AsLoaded", needs: "VersionReader", run: versionsAsLoaded,
			rule: 8, text: "What Versions yields is what Load returns: each version's Info and payload."},
		{name: "Raw/Versions/Ranges", needs: "VersionReader", run: versionsRanges,
			rule: 6, text: "Versions yields the kept versions from From to To, ascending or the newest first, at most Limit."},
		{name: "Raw/Versions/Many", needs: "VersionReader", heavy: true, run: versionsMany,
			rule: 6, text: "Versions yields every version, however many there are."},
		{name: "Raw/Versions/Large", needs: "VersionReader", heavy: true, run: versionsLarge,
			rule: 8, text: "Versions yields large payloads as they were."},
		{name: "Raw/Versions/Absent", needs: "VersionReader", run: versionsAbsent,
			rule: 6, text: "Versions of an absent or expired thread, and of a range without versions, yields nothing and no error."},
		{name: "Raw/Versions/LoopBody", needs: "VersionReader", heavy: true, run: versionsLoopBody,
			rule: 7, text: "The body of a loop over Versions may call any method of the backend, and may end the loop."},
		{name: "Raw/Versions/Trimmed", needs: "VersionReader", heavy: true, run: versionsTrimmed,
			rule: 6, text: "Versions that are dropped under the loop are left out, without an error."},
		{name: "Raw/Versions/Deleted", needs: "VersionReader", heavy: true, run: versionsDeleted,
			rule: 2, text: "A thread that is deleted under the loop ends it, and versions of a later life are never yielded."},
		{name: "Raw/Versions/WhileSaving", needs: "VersionReader", run: versionsWhileSaving,
			rule: 6, text: "Versions read while the thread is saved are in order, each once and with its own payload."},
	}
}

// log saves n versions of a thread whose payloads name them, and returns the
// Infos by version.
func (t *trial) log(b driver.Backend, thread string, n, keep int) map[int64]driver.Info {
	infos := make(map[int64]driver.Info)
	for range n {
		req := t.request(thread)
		req.Keep, req.Encoding = keep, "bytes"
		req.Payload = []byte("event " + req.ID)
		info := t.save(b, req)
		infos[info.Version] = info
	}
	return infos
}

// read returns what Versions yields, or ends the case.
func (t *trial) read(b *handle, req driver.VersionsRequest) []driver.Checkpoint {
	if req.Now.IsZero() {
		req.Now = t.now
	}
	var all []driver.Checkpoint
	for c, err := range b.Versions(t.ctx, req) {
		if err != nil {
			t.Fatalf("Versions(from=%d to=%d newest=%t limit=%d) yielded error %v after %d versions, want none", req.From, req.To, req.Newest, req.Limit, err, len(all))
		}
		all = append(all, c)
	}
	return all
}

// numbersOf returns the versions of checkpoints.
func numbersOf(all []driver.Checkpoint) []int64 {
	numbers := make([]int64, len(all))
	for i, c := range all {
		numbers[i] = c.Version
	}
	return numbers
}

// up returns the numbers from low to high.
func up(low, high int64) []int64 {
	numbers := down(high, low)
	slices.Reverse(numbers)
	return numbers
}

func versionsRanges(t *trial) {
	b := t.open()
	infos := t.log(b, "thread", 14, 10) // 5 to 14 are kept
	for _, test := range []struct {
		from, to int64
		limit    int
		want     []int64 // ascending, before the limit
	}{
		{0, 0, 0, up(5, 14)},
		{5, 14, 0, up(5, 14)},
		{6, 13, 0, up(6, 13)},
		{1, 7, 0, up(5, 7)},
		{13, 99, 0, up(13, 14)},
		{9, 9, 0, up(9, 9)},
		{0, 8, 0, up(5, 8)},
		{12, 0, 0, up(12, 14)},
		{15, 0, 0, nil},
		{1, 4, 0, nil},
		{driver.MaxVersion, 0, 0, nil},
		{0, driver.MaxVersion, 0, up(5, 14)},
		{0, 0, 1, up(5, 14)},
		{0, 0, 4, up(5, 14)},
		{7, 12, 3, up(7, 12)},
		{7, 12, 6, up(7, 12)},
		{7, 12, 100, up(7, 12)},
		{1, 7, 2, up(5, 7)},
	} {
		for _, newest := range []bool{false, true} {
			want := slices.Clone(test.want)
			if newest {
				slices.Reverse(want)
			}
			if test.limit > 0 {
				want = want[:min(test.limit, len(want))]
			}
			all := t.read(b, driver.VersionsRequest{Key: t.key("thread"), From: test.from, To: test.to, Newest: newest, Limit: test.limit})
			if got := numbersOf(all); !slices.Equal(got, want) {
				t.Errorf("Versions(from=%d to=%d newest=%t limit=%d) yielded %d, want %d", test.from, test.to, newest, test.limit, got, want)
			}
			t.events(all, infos)
		}
	}
}

// events checks that each checkpoint is the one that was saved.
func (t *trial) events(all []driver.Checkpoint, infos map[int64]driver.Info) {
	for _, c := range all {
		if want := infos[c.Version]; c.ID != want.ID || string(c.Payload) != "event "+want.ID {
			t.Errorf("Versions yielded version %d as %s with the payload %.60q, want id %s with its own", c.Version, show(c.Info), c.Payload, want.ID)
			return
		}
	}
}

func versionsAsLoaded(t *trial) {
	b := t.open()
	for i, payload := range [][]byte{[]byte(`{"n":9007199254740993}`), []byte("\x00\xff"), nil, []byte(`"json"`), randomBytes(450_000), []byte("[]")} {
		req := t.request("thread")
		req.Keep, req.Payload = 10, payload
		if i%2 == 1 || len(payload) == 0 || len(payload) > 100 {
			req.Encoding = "bytes"
		}
		req.Now = t.now.Add(time.Duration(i)*time.Second + 7*time.Microsecond)
		req.ExpiresAt = t.now.Add(time.Duration(50-i) * time.Hour)
		if i != 3 {
			req.Metadata = map[string]string{"number": fmt.Sprint(i)}
		}
		t.save(b, req)
	}
	for _, newest := range []bool{false, true} {
		all := t.read(b, driver.VersionsRequest{Key: t.key("thread"), Newest: newest})
		if len(all) != 6 {
			t.Fatalf("Versions yielded %d, want the 6 versions", len(all))
		}
		for _, got := range all {
			want := t.loadVersion(b, "thread", got.Version, t.now)
			t.same(fmt.Sprintf("Versions, version %d", got.Version), got.Info, want.Info)
			if d := diffBytes(got.Payload, want.Payload); d != "" {
				t.Errorf("Versions, version %d: the payload is %s", got.Version, d)
			}
		}
	}
}

func versionsMany(t *trial) {
	b := t.open()
	const n = 2*driver.VersionsPage + 50
	infos := t.log(b, "thread", n, driver.KeepAll)
	for _, newest := range []bool{false, true} {
		want := up(1, n)
		if newest {
			want = down(n, 1)
		}
		all := t.read(b, driver.VersionsRequest{Key: t.key("thread"), Newest: newest})
		if got := numbersOf(all); !slices.Equal(got, want) {
			t.Errorf("Versions(newest=%t) of %d versions yielded %d: %d", newest, n, len(got), got)
		}
		t.events(all, infos)
	}
	all := t.read(b, driver.VersionsRequest{Key: t.key("thread"), From: 40, To: 40 + 2*driver.VersionsPage, Limit: driver.VersionsPage + 5})
	if got := numbersOf(all); !slices.Equal(got, up(40, 40+driver.VersionsPage+4)) {
		t.Errorf("Versions(from=40 limit=%d) yielded %d versions: %d", driver.VersionsPage+5, len(got), got)
	}
}

func versionsLarge(t *trial) {
	b := t.open()
	var want [][]byte
	for _, size := range []int{driver.VersionsBytes - 1000, 30, driver.VersionsBytes, 500_000, 500_000, 60} {
		req := t.request("thread")
		req.Keep, req.Encoding, req.Payload = 10, "bytes", randomBytes(size)
		t.save(b, req)
		want = append(want, req.Payload)
	}
	for _, newest := range []bool{false, true} {
		all := t.read(b, driver.VersionsRequest{Key: t.key("thread"), Newest: newest})
		if len(all) != len(want) {
			t.Fatalf("Versions(newest=%t) yielded %d versions, want %d", newest, len(all), len(want))
		}
		for _, c := range all {
			if d := diffBytes(c.Payload, want[c.Version-1]); d != "" {
				t.Errorf("Versions, version %d: the payload is %s", c.Version, d)
			}
		}
	}
}

func versionsAbsent(t *trial) {
	b := t.open()
	t.log(b, "thread", 3, 3)
	t.log(b, "deleted", 3, 3)
	t.remove(b, "deleted")
	mortal := t.mortal(b, "expired")
	for what, req := range map[string]driver.VersionsRequest{
		"a thread that never was":        {Key: t.key("never there")},
		"a thread like another":          {Key: t.key("thread ")},
		"a deleted thread":               {Key: t.key("deleted")},
		"an expired thread":              {Key: mortal.Key, Now: mortal.ExpiresAt},
		"the thread of another wall":     {Key: driver.Key{Namespace: t.namespace + "a", Thread: "thread"}},
		"versions above the latest":      {Key: t.key("thread"), From: 4},
		"versions far above the latest":  {Key: t.key("thread"), From: 1 << 50, To: 1 << 51},
		"an expired thread, newest only": {Key: mortal.Key, Newest: true, Limit: 1, Now: mortal.ExpiresAt},
	} {
		if all := t.read(b, req); len(all) > 0 {
			t.Errorf("Versions of %s yielded versions %d, want nothing", what, numbersOf(all))
		}
	}
	if all := t.read(b, driver.VersionsRequest{Key: mortal.Key, Now: mortal.ExpiresAt.Add(-time.Microsecond)}); len(all) != 2 {
		t.Errorf("Versions a microsecond before the expiry yielded %d, want the 2 versions", len(all))
	}
}

func versionsCopied(t *trial) {
	b := t.open()
	infos := t.log(b, "thread", 6, 6)
	var all []driver.Checkpoint
	for range 2 { // what was changed in the first round is not seen in the second
		for _, c := range all {
			for i := range c.Payload {
				c.Payload[i] = 'x'
			}
		}
		all = t.read(b, driver.VersionsRequest{Key: t.key("thread")})
		t.events(all, infos)
	}
}

func versionsLoopBody(t *trial) {
	b := t.open()
	infos := t.log(b, "thread", driver.VersionsPage+20, driver.KeepAll)
	for _, newest := range []bool{false, true} {
		var all []driver.Checkpoint
		for c, err := range b.Versions(t.ctx, driver.VersionsRequest{Key: t.key("thread"), To: int64(len(infos)), Newest: newest, Now: t.now}) {
			if err != nil {
				t.Fatalf("Versions yielded error %v after %d versions", err, len(all))
			}
			all = append(all, c)
			if c.Version%20 == 1 {
				large := t.request(fmt.Sprint("new ", c.Version))
				large.Encoding, large.Payload = "bytes", randomBytes(1<<20)
				t.save(b, large)
				t.anything(b, "other")
				t.grow(b, "thread", 1, driver.KeepAll)
				for range b.Versions(t.ctx, driver.VersionsRequest{Key: t.key("thread"), Newest: true, Now: t.now}) {
					break
				}
			}
		}
		if len(all) != len(infos) {
			t.Errorf("Versions(newest=%t) beside the loop body's saves yielded %d versions, want %d", newest, len(all), len(infos))
		}
		t.events(all, infos)
	}
	for range 50 {
		for range b.Versions(t.ctx, driver.VersionsRequest{Key: t.key("thread"), Now: t.now}) {
			break
		}
	}
	t.save(b, t.request("after"))
}

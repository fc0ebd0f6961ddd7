package checkpointtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

func nameCases() []testCase {
	return []testCase{
		{name: "Raw/Names/AnyCharacter", heavy: true, run: namesAnyCharacter,
			rule: 9, text: "Every character in a thread's name is data."},
		{name: "Raw/Names/Length", run: namesLength,
			rule: 9, text: "A name may have 1 to 512 bytes, and names that differ in the last one are different."},
		{name: "Raw/Names/LikeKeys", heavy: true, run: namesLikeKeys,
			rule: 9, text: "A name that looks like what a driver may make of another name, a version or a part of it, is a thread of its own."},
		{name: "Raw/Walls/Load", run: wallsLoad,
			rule: 10, text: "Load and History reach nothing in another namespace."},
		{name: "Raw/Walls/Joined", run: wallsJoined,
			rule: 10, text: "A namespace does not run together with the name of a thread, and is not cut, whatever its length."},
		{name: "Raw/Walls/List", run: wallsList,
			rule: 10, text: "List yields nothing of another namespace."},
		{name: "Raw/Walls/Delete", run: wallsDelete,
			rule: 10, text: "Delete removes nothing in another namespace."},
		{name: "Raw/Walls/Conditions", run: wallsConditions,
			rule: 10, text: "Conditions and repeated ids of one namespace say nothing about another."},
		{name: "Raw/Walls/Purge", run: wallsPurge, needs: "Purger",
			rule: 10, text: "Purge removes nothing in another namespace."},
	}
}

// hostile are names that something on the way may take for more than a name.
var hostile = []string{
	"'", "''", `"`, "`", "' OR '1'='1", "'; DROP TABLE agent_checkpoints; --", "$1", "$$", ":name", "?", "@p", "--", "/*", "*/", "#", "%", "%%", "%s", "%00", "%2F", "+", "&", "=", "a=b&c",
	"*", "**", "[a]", "[", "]", "{", "}", "{}", "{a}", "a{b}c", "{}{", "(", ")", "|", "^", "~", "!", "\\", "\\\\", "\\n", "\\0", "\\'", "/", "//", "/etc/passwd", "..", "../..", ".", "a/b", "a\\b",
	" ", "  ", " a", "a ", "\t", "\n", "\r", "\r\n", "a\nb", "\x01", "\x1b[31m", "\x7f", "\u0080", "\u00a0", "\u200b", "\u202e", "\ufeff", "\ufffd", "\uffff", "\u2028",
	"é", "e\u0301", "ﬁ", "fi", "ß", "SS", "ss", "İ", "i̇", "ı", "I", "\u03a9", "\u2126", "😀", "👩\u200d👩\u200d👧", "日本語", "שלום", "\U0010ffff",
	"null", "NULL", "nil", "true", "0", "-1", "1e3", "0x1", "NaN", "undefined", "None", "<script>", "&lt;", "${x}", "$(x)", "`x`", "{{x}}", "user@host", "a:b", "::", "a;b", "a,b", "a|b",
}

func namesAnyCharacter(t *trial) {
	b := t.open()
	t.keepApart(b, hostile)
}

func namesLength(t *trial) {
	b := t.open()
	long := strings.Repeat("n", 511)
	wide := strings.Repeat("😀", 127) + "abc" // 511 bytes
	t.keepApart(b, []string{
		"n", "nn", long, long + "n", long + "m", long + "\x01", long[:510], long[:255], long[:256],
		wide, wide + "d", wide + "e", strings.Repeat("é", 256), strings.Repeat("'", 512), strings.Repeat("%", 512), strings.Repeat("\x01", 512), strings.Repeat("\\", 512),
	})
}

// namesLikeKeys mixes names with the separators, numbers and markers that keys
// are commonly composed with.
func namesLikeKeys(t *trial) {
	threads := []string{"a", "1", "v", "v1", "latest", "index", "meta", "head", "history", t.namespace, "{" + t.namespace + ":0}"}
	for _, separator := range []string{":", "#", "/", "|", ".", "-", "_", "\x01", "\x1f", "%00", "\\0", "@", "~", "!", " "} {
		for _, tail := range []string{"", "1", "2", "v1", "00000000000000000001"} {
			threads = append(threads, "a"+separator+tail)
		}
		threads = append(threads, separator+"a", "a"+separator+"a", "a"+separator+"v"+separator+"1", t.namespace+separator+"a")
	}
	b := t.open()
	t.keepApart(b, threads)
}

// keepApart gives each thread a history of its own, and checks that none
// reaches another: not by saving, loading, listing or deleting.
func (t *trial) keepApart(b driver.Backend, threads []string) {
	threads = slices.Compact(sorted(threads, everything))
	payload := func(thread string, version int64) []byte {
		return fmt.Appendf(nil, "version %d of %q", version, thread)
	}
	const versions, writers = 3, 8
	t.together(writers, func(w int) {
		for i := w; i < len(threads); i += writers {
			for version := int64(1); version <= versions; version++ {
				req := t.request(threads[i])
				req.Keep = 2
				req.Encoding = "bytes"
				req.Payload = payload(threads[i], version)
				if info, err := b.Save(t.ctx, req); err != nil || info.Version != version || info.Thread != threads[i] {
					t.Errorf("Save number %d of %q = %s, %v", version, threads[i], show(info), err)
				}
			}
		}
	})
	check := func(threads []string) {
		for _, thread := range threads {
			for version := int64(versions); version > versions-2; version-- {
				c, err := b.Load(t.ctx, driver.LoadRequest{Key: t.key(thread), Version: version, Now: t.now})
				if err != nil || c.Thread != thread || diffBytes(c.Payload, payload(thread, version)) != "" {
					t.Errorf("Load(%q version=%d) = %s %.80q, %v, want %q", thread, version, show(c.Info), c.Payload, err, payload(thread, version))
				}
			}
			t.versions(b, thread, 3, 2)
		}
		t.nameSet(b, driver.ListRequest{}, threads)
	}
	check(threads)
	var left []string
	for i, thread := range threads {
		if i%2 == 0 {
			t.remove(b, thread)
			t.missing(b, thread, 0, t.now)
		} else {
			left = append(left, thread)
		}
	}
	check(left)
}

// walls returns namespaces that are easily confused with the trial's.
func (t *trial) walls() []string {
	ns := t.namespace
	return []string{ns, strings.ToUpper(ns), ns + "a", ns + ".a", ns + "-a", ns + "_a", ns + ".", ns[:len(ns)-1], ns + "." + ns}
}

// everywhere saves two versions of one thread in each of the walls' namespaces
// and returns the second ones' Infos.
func (t *trial) everywhere(b driver.Backend, change func(*driver.SaveRequest)) map[string]driver.Info {
	infos := make(map[string]driver.Info)
	for _, ns := range t.walls() {
		for want := int64(1); want <= 2; want++ {
			req := t.request("thread")
			req.Namespace = ns
			req.Keep = 2
			if change != nil {
				change(&req)
			}
			info := t.save(b, req)
			if info.Version != want || info.Namespace != ns {
				t.Errorf("Save number %d in namespace %q returned %s in %q", want, ns, show(info), info.Namespace)
			}
			infos[ns] = info
		}
	}
	return infos
}

// wallsJoined has namespaces and threads that make the same key when they are joined,
// and namespaces that differ in their last byte.
func wallsJoined(t *trial) {
	b := t.open()
	ns := t.namespace
	long := ns + strings.Repeat("n", 127-len(ns))
	keys := []driver.Key{
		{Namespace: ns, Thread: "ab"}, {Namespace: ns + "a", Thread: "b"}, {Namespace: ns + "ab", Thread: "c"}, {Namespace: ns, Thread: "abc"},
		{Namespace: long, Thread: "a"}, {Namespace: long + "a", Thread: "a"}, {Namespace: long + "b", Thread: "a"}, {Namespace: long[:126], Thread: "na"},
		{Namespace: ns + strings.Repeat("m", 63-len(ns)), Thread: "a"}, {Namespace: ns + strings.Repeat("m", 64-len(ns)), Thread: "a"},
	}
	for _, separator := range []string{".", "-", "_"} {
		keys = append(keys,
			driver.Key{Namespace: ns, Thread: "a" + separator + "b"}, driver.Key{Namespace: ns, Thread: separator + "a" + separator + "b"},
			driver.Key{Namespace: ns + separator + "a", Thread: "b"}, driver.Key{Namespace: ns + separator + "a", Thread: separator + "b"},
			driver.Key{Namespace: ns + separator, Thread: "a" + separator + "b"}, driver.Key{Namespace: ns + separator + "a" + separator, Thread: "b"})
	}
	for _, separator := range []string{":", "/", "|", "#", "\x01"} {
		keys = append(keys, driver.Key{Namespace: ns, Thread: "a" + separator + "b"}, driver.Key{Namespace: ns, Thread: "a" + separator})
	}
	ids := make(map[driver.Key]string)
	for _, key := range keys {
		req := t.request(key.Thread)
		req.Key = key
		if got := t.save(b, req); got.Version != 1 {
			t.Errorf("the first Save of %q in namespace %q returned %s, want version 1", key.Thread, key.Namespace, show(got))
		}
		ids[key] = req.ID
	}
	listed := make(map[driver.Key]string)
	for key, id := range ids {
		c, err := b.Load(t.ctx, driver.LoadRequest{Key: key, Now: t.now})
		if err != nil || c.ID != id || c.Key != key {
			t.Errorf("Load of %q in namespace %q = %s in %q, error %v, want id %s", key.Thread, key.Namespace, show(c.Info), c.Namespace, err, id)
		}
		for _, info := range t.listed(b, driver.ListRequest{Namespace: key.Namespace}) {
			listed[info.Key] = info.ID
		}
	}
	if !maps.Equal(listed, ids) {
		t.Errorf("lists of all namespaces together: %s", difference(listed, ids))
	}
}

func wallsLoad(t *trial) {
	b := t.open()
	for ns, want := range t.everywhere(b, nil) {
		key := driver.Key{Namespace: ns, Thread: "thread"}
		c, err := b.Load(t.ctx, driver.LoadRequest{Key: key, Now: t.now})
		if err != nil || c.ID != want.ID || c.Namespace != ns {
			t.Errorf("Load in namespace %q = %s in %q, %v, want id %s", ns, show(c.Info), c.Namespace, err, want.ID)
		}
		history := t.historyPage(b, driver.HistoryRequest{Key: key, Now: t.now})
		if len(history) != 2 || history[0].ID != want.ID || history[0].Namespace != ns {
			t.Errorf("History in namespace %q yielded %d versions, the first %s, want 2, the first %s", ns, len(history), show(history[0]), show(want))
		}
	}
	elsewhere := t.request("only here")
	t.save(b, elsewhere)
	for _, ns := range t.walls()[1:] {
		c, err := b.Load(t.ctx, driver.LoadRequest{Key: driver.Key{Namespace: ns, Thread: "only here"}, Now: t.now})
		if err == nil {
			t.Errorf("Load in namespace %q returned %s, which is in %q", ns, show(c.Info), t.namespace)
		}
	}
}

func wallsList(t *trial) {
	b := t.open()
	for i, ns := range t.walls() {
		for _, thread := range []string{"thread", fmt.Sprint("number ", i)} {
			req := t.request(thread)
			req.Namespace = ns
			t.save(b, req)
		}
	}
	for i, ns := range t.walls() {
		t.names(b, driver.ListRequest{Namespace: ns}, fmt.Sprint("number ", i), "thread")
		t.names(b, driver.ListRequest{Namespace: ns, After: "number "}, fmt.Sprint("number ", i), "thread")
	}
	t.names(b, driver.ListRequest{Namespace: t.namespace + "-nothing-here"})
}

func wallsDelete(t *trial) {
	b := t.open()
	infos := t.everywhere(b, nil)
	for _, ns := range t.walls() {
		if err := b.Delete(t.ctx, driver.DeleteRequest{Key: driver.Key{Namespace: ns, Thread: "thread"}}); err != nil {
			t.Errorf("Delete in namespace %q: %v", ns, err)
		}
		delete(infos, ns)
		for ns, want := range infos {
			c, err := b.Load(t.ctx, driver.LoadRequest{Key: driver.Key{Namespace: ns, Thread: "thread"}, Now: t.now})
			if err != nil || c.ID != want.ID {
				t.Fatalf("after Delete in another namespace Load in %q = %s, %v, want id %s", ns, show(c.Info), err, want.ID)
			}
		}
	}
}

func wallsConditions(t *trial) {
	b := t.open()
	first := t.request("thread")
	t.save(b, first)
	for _, ns := range t.walls()[1:] {
		own := t.request("thread")
		own.Namespace = ns
		t.save(b, own)
		matching := t.request("thread")
		matching.Namespace = ns
		matching.Match.ID = first.ID
		if info, err := b.Save(t.ctx, matching); !errors.Is(err, driver.ErrConflict) {
			t.Errorf("in namespace %q Save on condition of an id of another namespace = %s, %v, want a conflict", ns, show(info), err)
		}
		same := t.request("thread")
		same.Namespace = ns
		same.ID = first.ID // no repetition: another namespace
		same.Match.ID = own.ID
		if got := t.save(b, same); got.Version != 2 || got.Namespace != ns {
			t.Errorf("Save in namespace %q with an id of another one returned %s in %q, want version 2", ns, show(got), got.Namespace)
		}
	}
	t.latest(b, "thread", 1, first.ID)
}

func wallsPurge(t *trial) {
	b := t.open()
	t.everywhere(b, func(req *driver.SaveRequest) { req.ExpiresAt = t.now.Add(time.Minute) })
	now := t.now.Add(time.Hour)
	if _, err := b.Purge(t.ctx, t.namespace, now); err != nil {
		t.Fatalf("Purge: error %v, want nil", err)
	}
	for _, ns := range t.walls()[1:] {
		// What was not purged is still there for a request of an earlier time.
		if _, err := b.Load(t.ctx, driver.LoadRequest{Key: driver.Key{Namespace: ns, Thread: "thread"}, Now: t.now}); err != nil {
			t.Errorf("after Purge of %q Load in %q: error %v, want success", t.namespace, ns, err)
		}
	}
}

package checkpointtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

func listCases() []testCase {
	return []testCase{
		{name: "Raw/List/Order", run: listOrder,
			rule: 7, text: "List yields the threads in ascending byte order of their names."},
		{name: "Raw/List/Latest", run: listLatest,
			rule: 7, text: "List yields each live thread once, as the Info of its latest checkpoint."},
		{name: "Raw/List/Deleted", run: listDeleted,
			rule: 7, text: "List does not yield a deleted thread."},
		{name: "Raw/List/Prefix", run: listPrefix,
			rule: 7, text: "Prefix leaves only threads whose names start with it."},
		{name: "Raw/List/PrefixIsNoPattern", run: listPrefixIsNoPattern,
			rule: 7, text: "Prefix and After are byte strings, never patterns."},
		{name: "Raw/List/ArbitraryBytes", run: listArbitraryBytes,
			rule: 7, text: "Prefix and After may be what no thread is called: invalid UTF-8, with NUL, longer than a name."},
		{name: "Raw/List/After", run: listAfter,
			rule: 7, text: "After leaves only names that are greater; it need not be a thread."},
		{name: "Raw/List/Limit", run: listLimit,
			rule: 7, text: "Limit bounds the number of threads; 0 is all."},
		{name: "Raw/List/Paging", run: listPaging,
			rule: 7, text: "Pages that go on after the last name yield each thread."},
		{name: "Raw/List/Many", heavy: true, run: listMany,
			rule: 7, text: "List yields every thread, however many there are."},
		{name: "Raw/List/LoopBody", run: listLoopBody,
			rule: 7, text: "The body of a loop over List may call any method of the backend, and may end the loop."},
		{name: "Raw/List/Nested", run: listNested,
			rule: 7, text: "Loops over List may be nested: none holds a connection or lock while it yields."},
		{name: "Raw/List/InFront", heavy: true, run: listInFront,
			rule: 7, text: "Threads that come and go in front of the page do not move it: what stays is yielded, once."},
		{name: "Raw/List/WhileWriting", heavy: true, run: listWhileWriting,
			rule: 7, text: "A thread that is there during the whole iteration is yielded, once."},
	}
}

// populate saves a checkpoint of each thread, several at a time.
func (t *trial) populate(b driver.Backend, threads ...string) {
	t.populateWith(b, nil, threads)
}

// populateMany saves as many of the threads as are enough, and returns those.
func (t *trial) populateMany(b driver.Backend, change func(*driver.SaveRequest), threads ...string) []string {
	made, began := 0, time.Now()
	for !t.enough(began, made, aPage, len(threads), "threads") {
		next := min(made+20, len(threads))
		t.populateWith(b, change, threads[made:next])
		made = next
	}
	return threads[:made]
}

// populateWith saves threads at once, by requests that change may change.
func (t *trial) populateWith(b driver.Backend, change func(*driver.SaveRequest), threads []string) {
	const writers = 8
	t.together(writers, func(w int) {
		for i := w; i < len(threads); i += writers {
			req := t.request(threads[i])
			if change != nil {
				change(&req)
			}
			if _, err := b.Save(t.ctx, req); err != nil {
				t.Errorf("Save of %q: %v", threads[i], err)
				return
			}
		}
	})
}

// sorted returns the strings that pass, in byte order.
func sorted(all []string, pass func(string) bool) []string {
	var kept []string
	for _, s := range all {
		if pass(s) {
			kept = append(kept, s)
		}
	}
	slices.Sort(kept)
	return kept
}

func everything(string) bool { return true }

// listOrder uses names that other orders sort in other ways: by locale, by
// case, by number, by UTF-16 code units, by length.
func listOrder(t *trial) {
	threads := []string{
		"a", "B", "b", "A", "Z", "_", "-", "a-b", "ab", "a b", "a_b", "aB", "aa", "a1", "a10", "a2", "10", "9", "1",
		"é", "e\u0301", "e", "f", "ß", "ss", "ä", "z", "\u00ff", "ÿ2", "я", "日本", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0001f600", "\U0010ffff",
		"\x01", "\t", " ", "~", "\x7f", "\u0080", "a\x01", "a\U0010ffff", "I", "i", "ı", "İ",
	}
	b := t.open()
	t.populate(b, threads...)
	t.names(b, driver.ListRequest{}, sorted(threads, everything)...)
}

func listLatest(t *trial) {
	b := t.open()
	want := map[string]driver.Info{}
	for _, thread := range []string{"a", "b", "c"} {
		infos := t.grow(b, thread, 3, 2)
		want[thread] = infos[2]
	}
	got := t.listed(b, driver.ListRequest{})
	if len(got) != 3 {
		t.Fatalf("List yielded %q, want each of 3 threads once", namesOf(got))
	}
	for _, info := range got {
		t.same(fmt.Sprintf("List, thread %q", info.Thread), info, want[info.Thread])
	}
}

func listDeleted(t *trial) {
	b := t.open()
	t.names(b, driver.ListRequest{})
	t.populate(b, "a", "b", "c")
	t.remove(b, "b")
	t.names(b, driver.ListRequest{}, "a", "c")
	t.remove(b, "a")
	t.remove(b, "c")
	t.names(b, driver.ListRequest{})
	t.populate(b, "b")
	t.names(b, driver.ListRequest{}, "b")
}

func listPrefix(t *trial) {
	threads := []string{"user", "user-", "user-1", "user-10", "user-2", "user.1", "userz", "USER-1", "use", "v", "ü", "üb", "\U0010ffff", "\U0010ffff\U0010ffff"}
	b := t.open()
	t.populate(b, threads...)
	for _, prefix := range []string{"", "u", "user", "user-", "user-1", "user-10", "user-100", "User", "us", "z", "ü", "\U0010ffff"} {
		t.nameSet(b, driver.ListRequest{Prefix: prefix}, sorted(threads, func(s string) bool { return strings.HasPrefix(s, prefix) }))
	}
}

// patterns are names that mean something to some database's patterns.
var patterns = []string{
	"%", "_", "*", "?", "%%", "a%", "a_", "a*", "a?", "a", "ab", "abc", "a%c", "a_c", "a*c", "a?c", "[a]", "[a-c]", "[^a]", "^a", "{a,b}",
	`\`, `\%`, `\_`, `\*`, `a\`, `a\b`, `a\%`, "(?i)A", ".", ".*", "a.c", "a|b", "$", "'", "''", `"`, "a' OR '1'='1", "a#", "!", "!a", "~a",
}

func listPrefixIsNoPattern(t *trial) {
	b := t.open()
	threads := slices.Compact(sorted(patterns, everything))
	t.populate(b, threads...)
	for _, p := range threads {
		t.nameSet(b, driver.ListRequest{Prefix: p}, sorted(threads, func(s string) bool { return strings.HasPrefix(s, p) }))
	}
}

func listArbitraryBytes(t *trial) {
	threads := []string{"a", "b", "é", "\u00ff", "\ud7ff", "\ue000", "\U0001f600", "\U0010ffff", "\x01", "a\x01", strings.Repeat("n", 200)}
	b := t.open()
	t.populate(b, threads...)
	for _, s := range []string{
		"\x00", "a\x00", "a\x00b", "\xff", "\xfe", "\x80", "\xc3", "\xc3\xff", "é\xc3", "\xed\xa0\x80", "\xed\x9f", "\xee", "\xf0\x9f", "\xf0\x9f\x98", "\xf4\x8f\xbf", "\xf4\x90", "\xf5",
		"a\xff", "\x01\xff", "\U0010ffff\xff", strings.Repeat("n", 512) + "n", strings.Repeat("n", 513), strings.Repeat("\xff", 600), strings.Repeat("é", 5000), strings.Repeat("m", 100_000),
	} {
		t.nameSet(b, driver.ListRequest{Prefix: s}, sorted(threads, func(name string) bool { return strings.HasPrefix(name, s) }))
		// Not to depend on whether After itself is excluded, these are no names.
		t.nameSet(b, driver.ListRequest{After: s}, sorted(threads, func(name string) bool { return name > s }))
	}
}

func listAfter(t *trial) {
	threads := []string{"a", "aa", "ab", "b", "b%", "b_", "c", "é", "\U0001f600", "Z"}
	b := t.open()
	t.populate(b, threads...)
	afters := append([]string{"A", "a\x01", "a ", "abc", "b\U0010ffff", "d", "\U0001f600\U0001f600", "\U0010ffff", "'", `\`, "%"}, threads...)
	for _, after := range afters {
		t.nameSet(b, driver.ListRequest{After: after}, sorted(threads, func(s string) bool { return s > after }))
		for _, prefix := range []string{"a", "b", "é", "A"} {
			t.nameSet(b, driver.ListRequest{Prefix: prefix, After: after},
				sorted(threads, func(s string) bool { return strings.HasPrefix(s, prefix) && s > after }))
		}
	}
}

func listLimit(t *trial) {
	threads := numbered("thread", 12)
	b := t.open()
	t.populate(b, threads...)
	for limit := range 15 {
		want := threads
		if limit > 0 && limit < len(threads) {
			want = threads[:limit]
		}
		t.names(b, driver.ListRequest{Limit: limit}, want...)
		t.names(b, driver.ListRequest{Prefix: "thread-", Limit: limit}, want...)
	}
	t.names(b, driver.ListRequest{After: "thread-0003 ", Limit: 1}, "thread-0004")
}

// listPaging asks for what comes out of Limit and After together. Each alone
// has its own case, and a fault there shall not fail this one too.
func listPaging(t *trial) {
	threads := append(numbered("thread", 40), numbered("other", 7)...)
	slices.Sort(threads)
	b := t.open()
	t.populate(b, threads...)
	for _, prefix := range []string{"", "thread-", "other-"} {
		want := sorted(threads, func(s string) bool { return strings.HasPrefix(s, prefix) })
		for limit := 2; limit <= 48; limit += 1 + limit/4 {
			var got []string
			for after, pages := "", 0; pages <= len(threads); pages++ {
				page := namesOf(t.listed(b, driver.ListRequest{Prefix: prefix, After: after, Limit: limit}))
				page = page[:min(len(page), limit)]
				if len(page) > 0 && page[0] == after {
					page = page[1:]
				}
				if len(page) == 0 {
					break
				}
				got = append(got, page...)
				after = page[len(page)-1]
			}
			if !slices.Equal(got, want) {
				t.Errorf("pages of %d with prefix %q: %s", limit, prefix, diffNames(got, want))
			}
		}
	}
}

// numbered returns n names in byte order.
func numbered(name string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%04d", name, i)
	}
	return names
}

func listMany(t *trial) {
	b := t.open()
	threads := t.populateMany(b, nil, numbered("thread", 1_100)...) // more than the pages databases like
	t.names(b, driver.ListRequest{}, threads...)
}

package sqlstore_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

func TestPages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		items, limit int
		fetched      []int // the sizes asked for
	}{
		{"empty", 0, 0, []int{128}},
		{"part of a page", 5, 0, []int{128}},
		{"limit within a page", 5, 3, []int{3}},
		{"limit beyond the end", 5, 9, []int{9}},
		{"a full page asks again", 128, 0, []int{128, 256}},
		{"a limit reached does not", 128, 128, []int{128}},
		{"pages grow to their bound", 5000, 0, []int{128, 256, 512, 1024, 1024, 1024, 1024, 1024}},
		{"the last page is cut", 5000, 1000, []int{128, 256, 512, 104}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var fetched []int
			seq := sqlstore.Pages(tt.limit, func(last *int, n int) ([]int, error) {
				fetched = append(fetched, n)
				from := 0
				if last != nil {
					from = *last + 1
				}
				var page []int
				for i := from; i < min(from+n, tt.items); i++ {
					page = append(page, i)
				}
				return page, nil
			})
			want := tt.items
			if tt.limit > 0 {
				want = min(want, tt.limit)
			}
			for range 2 { // an iterator can be used again
				fetched = nil
				got := 0
				for i, err := range seq {
					if err != nil || i != got {
						t.Fatalf("item %d, error %v; want item %d", i, err, got)
					}
					got++
				}
				if got != want {
					t.Errorf("%d items, want %d", got, want)
				}
				if !slices.Equal(fetched, tt.fetched) {
					t.Errorf("pages of %d, want %d", fetched, tt.fetched)
				}
			}
		})
	}
}

func TestPagesStopAndFail(t *testing.T) {
	t.Parallel()
	calls := 0
	endless := sqlstore.Pages(0, func(_ *int, n int) ([]int, error) {
		calls++
		return make([]int, n), nil
	})
	for range endless {
		break
	}
	if calls != 1 {
		t.Errorf("%d pages fetched for one item, want 1", calls)
	}

	broken := errors.New("broken")
	var items []int
	var errs []error
	for i, err := range sqlstore.Pages(0, func(*int, int) ([]int, error) { return []int{7}, broken }) {
		items, errs = append(items, i), append(errs, err)
	}
	if !slices.Equal(items, []int{7, 0}) || !slices.Equal(errs, []error{nil, broken}) {
		t.Errorf("items %v with errors %v, want those before the error, and it once with the zero item", items, errs)
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	left := int64(25)
	n, err := sqlstore.Batches(10, func(size int) (int64, error) {
		d := min(left, int64(size))
		left -= d
		return d, nil
	})
	if n != 25 || err != nil || left != 0 {
		t.Errorf("removed %d, error %v, left %d; want 25, nil, 0", n, err, left)
	}

	broken := errors.New("broken")
	calls := 0
	n, err = sqlstore.Batches(10, func(int) (int64, error) {
		if calls++; calls == 3 {
			return 4, broken
		}
		return 10, nil
	})
	if n != 24 || err != broken {
		t.Errorf("removed %d, error %v; want 24, %v", n, err, broken)
	}
}

// TestList pages over a table of names and compares with what Prefix and After
// mean.
func TestList(t *testing.T) {
	t.Parallel()
	var threads []string
	for i := range 3000 {
		threads = append(threads, fmt.Sprintf("t%04d", i))
	}
	threads = append(threads, "ü", "üa", "\U0010ffff")
	slices.Sort(threads)
	fetch := func(low, high string, n int) ([]driver.Info, error) {
		var page []driver.Info
		for _, thread := range threads {
			if low <= thread && (high == "" || thread < high) && len(page) < n {
				page = append(page, driver.Info{Key: driver.Key{Thread: thread}})
			}
		}
		return page, nil
	}
	for _, req := range []driver.ListRequest{
		{},
		{Prefix: "t0"},
		{Prefix: "t0", After: "t0500"},
		{After: "t2998", Limit: 2},
		{Prefix: "\xc3"},
		{Prefix: "ü", After: "ü"},
		{After: "\xff"},
		{Prefix: "t0", After: "u"},
		{Limit: 1500},
	} {
		var want []string
		for _, thread := range threads {
			if strings.HasPrefix(thread, req.Prefix) && thread > req.After && (req.Limit == 0 || len(want) < req.Limit) {
				want = append(want, thread)
			}
		}
		var got []string
		for info, err := range sqlstore.List(req, fetch) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, info.Thread)
		}
		if !slices.Equal(got, want) {
			t.Errorf("Prefix %q After %q Limit %d: %d threads, want %d", req.Prefix, req.After, req.Limit, len(got), len(want))
		}
	}

	closed := func(_, _ string, n int) ([]driver.Info, error) {
		if n != 0 {
			t.Errorf("fetch is asked for %d threads where there can be none", n)
		}
		return nil, driver.ErrClosed
	}
	for _, err := range sqlstore.List(driver.ListRequest{Prefix: "a", After: "b"}, closed) {
		if err != driver.ErrClosed {
			t.Errorf("of a range that is empty: %v, want %v", err, driver.ErrClosed)
		}
		return
	}
	t.Error("an empty range hides that the backend is closed")
}

func TestHistoryEndsAtANewLife(t *testing.T) {
	t.Parallel()
	latest := int64(1000)
	fetch := func(before int64, n int) ([]driver.Info, error) {
		var page []driver.Info
		for v := latest; v > 0 && len(page) < n; v-- {
			if before == 0 || v < before {
				page = append(page, driver.Info{Version: v})
			}
		}
		return page, nil
	}
	versions := func(req driver.HistoryRequest, each func()) []int64 {
		var got []int64
		for info, err := range sqlstore.History(req, fetch) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, info.Version)
			each()
		}
		return got
	}
	if got := versions(driver.HistoryRequest{}, func() {}); len(got) != 1000 || got[0] != 1000 || got[999] != 1 {
		t.Errorf("%d versions, want 1000 down to 1", len(got))
	}
	if got := versions(driver.HistoryRequest{Before: 700, Limit: 200}, func() {}); len(got) != 200 || got[0] != 699 || got[199] != 500 {
		t.Errorf("%d versions, want 699 down to 500", len(got))
	}
	got := versions(driver.HistoryRequest{}, func() { latest = 3 }) // deleted and saved again meanwhile
	if len(got) != 128 || got[127] != 873 {
		t.Errorf("%d versions down to %d, want 128 down to 873 and none of the new life", len(got), got[len(got)-1])
	}
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprintf("ns%03d", i))
	}
	var got []string
	for ns, err := range sqlstore.Namespaces(func(after string, n int) ([]string, error) {
		i, found := slices.BinarySearch(want, after)
		if found {
			i++
		}
		return want[i:min(i+n, len(want))], nil
	}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ns)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d namespaces, want %d in order", len(got), len(want))
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		m    map[string]string
		text any
	}{
		{nil, nil},
		{map[string]string{}, nil},
		{map[string]string{"b": "2", "a": "<1> & é", "c": "\u2028\n\"\\"}, `{"a":"<1> & é","b":"2","c":"\u2028\n\"\\"}`},
		{map[string]string{"k": ""}, `{"k":""}`},
	} {
		got := sqlstore.EncodeMetadata(tt.m)
		if got != tt.text {
			t.Errorf("EncodeMetadata(%q) = %v, want %v", tt.m, got, tt.text)
		}
		s, _ := got.(string)
		if back, err := sqlstore.DecodeMetadata([]byte(s)); err != nil || !maps.Equal(back, tt.m) {
			t.Errorf("DecodeMetadata(%q) = %q, %v; want %q", s, back, err, tt.m)
		}
	}
	if m, err := sqlstore.DecodeMetadata([]byte(`{}`)); m != nil || err != nil {
		t.Errorf("DecodeMetadata({}) = %v, %v; want nil, nil", m, err)
	}
	for _, text := range []string{`null`, `[]`, `{"a":1}`, `{"a":null}`, `{"a":"b"`, `"secret"`, `{} {}`} {
		_, err := sqlstore.DecodeMetadata([]byte(text))
		if want := "stored state is damaged or does not fit: its metadata is not a JSON object of strings"; err == nil || err.Error() != want || !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("DecodeMetadata(%s): %v, want %s", text, err, want)
		}
	}
}

// scan does what database/sql does with scanners.
func scan(row *sqlstore.Row, values ...any) error {
	for i, dest := range row.Dest() {
		if err := dest.(interface{ Scan(any) error }).Scan(values[i]); err != nil {
			return err
		}
	}
	return nil
}

func TestRow(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 6, 7, 8, 9, 10, 123456000, time.UTC)
	want := driver.Info{
		Key: driver.Key{Namespace: "ns", Thread: "t"}, ID: "id", Version: 3, Size: 9, Encoding: "json", Base: 2,
		Metadata: map[string]string{"k": "v"}, CreatedAt: at, SavedAt: at.Add(time.Microsecond), ExpiresAt: at.Add(time.Hour),
	}
	var row sqlstore.Row // used again and again: no row may show through in the next
	for name, values := range map[string][]any{
		"integers": {"t", "id", int64(3), int64(9), "json", `{"k":"v"}`, sqlstore.Micros(want.CreatedAt), sqlstore.Micros(want.SavedAt), sqlstore.NullMicros(want.ExpiresAt), int64(2)},
		"times": {[]byte("t"), []byte("id"), int64(3), int64(9), []byte("json"), []byte(`{"k":"v"}`),
			at.In(time.FixedZone("x", 3600)), want.SavedAt, want.ExpiresAt, int64(2)},
	} {
		if err := scan(&row, values...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := row.Info("ns")
		if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w || err != nil {
			t.Errorf("%s: %s, %v; want %s", name, g, err, w)
		}
	}
	if err := scan(&row, "t", "id", int64(3), int64(9), "json", nil, int64(1), int64(1), sqlstore.NullMicros(time.Time{}), int64(0)); err != nil {
		t.Fatal(err)
	}
	if got, err := row.Info("ns"); err != nil || got.Metadata != nil || !got.ExpiresAt.IsZero() {
		t.Errorf("NULLs came back as metadata %v, expiry %v, error %v; want none", got.Metadata, got.ExpiresAt, err)
	}
}

func TestDamagedRow(t *testing.T) {
	t.Parallel()
	good := []any{"t", "id", int64(3), int64(9), "json", nil, int64(1), int64(1), nil, int64(0)}
	for _, tt := range []struct {
		column int
		value  any
		want   string
	}{
		{0, nil, "a column that should hold text holds a <nil>"},
		{1, int64(1), "a column that should hold text holds a int64"},
		{2, "secret", "a column that should hold an integer holds a string"},
		{2, int64(0), `thread "t" has a row without a version, a size or a time`},
		{3, 1.5, "a column that should hold an integer holds a float64"},
		{3, int64(-1), `thread "t" has a row without a version, a size or a time`},
		{5, int64(1), "a column that should hold text holds a int64"},
		{5, "secret", `its metadata is not a JSON object of strings`},
		{6, nil, `thread "t" has a row without a version, a size or a time`},
		{7, "secret", "a column that should hold a time holds a string"},
		{9, nil, "a column that should hold an integer holds a <nil>"},
		{9, int64(-1), `thread "t" has a row without a version, a size or a time`},
		{9, int64(3), `thread "t" has a row without a version, a size or a time`},
	} {
		values := slices.Clone(good)
		values[tt.column] = tt.value
		var row sqlstore.Row
		err := scan(&row, values...)
		if err == nil {
			_, err = row.Info("ns")
		}
		if !errors.Is(err, driver.ErrCorrupt) || !strings.HasSuffix(fmt.Sprint(err), tt.want) || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("column %d = %v: %v, want ErrCorrupt: %s", tt.column, tt.value, err, tt.want)
		}
	}
}

func TestTableName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"agent_checkpoints", "_", "A1", strings.Repeat("x", 40)} {
		if err := sqlstore.CheckTableName(name); err != nil {
			t.Errorf("%q: %v, want no error", name, err)
		}
	}
	const want = "invalid table name: want letters, digits and underscores, no digit first, at most 40 bytes"
	for _, name := range []string{"", "1a", "a b", `a"b`, "a;b", "a.b", "a-b", "é", "a\x00", strings.Repeat("x", 41)} {
		if err := sqlstore.CheckTableName(name); err == nil || err.Error() != want || !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("%q: %v, want %s", name, err, want)
		}
	}
	if got, want := sqlstore.Quote(`a"b`), `"a""b"`; got != want {
		t.Errorf("Quote: %s, want %s", got, want)
	}
}

func TestStatements(t *testing.T) {
	t.Parallel()
	s := sqlstore.ParseStatements("-- A comment\n\n-- name: one\nSELECT *\nFROM {table}\n\n-- name: two \n-- why\nDELETE FROM {table};\n",
		"{table}", `"t"`)
	want := sqlstore.Statements{"one": "SELECT *\nFROM \"t\"", "two": "-- why\nDELETE FROM \"t\";"}
	if !maps.Equal(s, want) {
		t.Errorf("got %q, want %q", s, want)
	}
	defer func() {
		if got, want := recover(), any("sqlstore: no statement is named three"); got != want {
			t.Errorf("panic %v, want %v", got, want)
		}
	}()
	s.Get("three")
}

package takeover_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
	_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
	"github.com/go-ckpt/checkpoint/takeover"
)

func newStore(t *testing.T, opts ...checkpoint.Option) *checkpoint.Store {
	s := checkpoint.New(memory.New(), opts...)
	t.Cleanup(func() { s.Close() })
	return s
}

// given yields states, and then err, if there is one.
func given(err error, states ...takeover.State) iter.Seq2[takeover.State, error] {
	return func(yield func(takeover.State, error) bool) {
		for _, s := range states {
			if !yield(s, nil) {
				return
			}
		}
		if err != nil {
			yield(takeover.State{}, err)
		}
	}
}

func state(thread string, n int) takeover.State {
	return takeover.State{Thread: thread, JSON: fmt.Appendf(nil, `{"n":%d}`, n)}
}

// contents are the versions that a store keeps, oldest first: thread@version state.
func contents(t *testing.T, s *checkpoint.Store) string {
	t.Helper()
	var all []string
	for info, err := range s.List(t.Context(), checkpoint.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		for v, err := range s.Versions(t.Context(), info.Thread, checkpoint.VersionsOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			var state json.RawMessage
			if err := v.Decode(&state); err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%s@%d %s", v.Thread, v.Version, state))
		}
	}
	return strings.Join(all, "; ")
}

func TestIntoAgainAndBesideOthers(t *testing.T) {
	t.Parallel()
	for _, history := range []int{1, checkpoint.KeepAll} {
		store := newStore(t, checkpoint.WithHistory(history))
		if _, err := store.Save(t.Context(), "own", "mine"); err != nil {
			t.Fatal(err)
		}
		first := []takeover.State{state("a", 1), state("own", 1), state("b", 1), state("a", 2), state("own", 2)}
		cut := errors.New("the network went away")
		stats, err := takeover.Into(t.Context(), store, given(cut, first...))
		if want := (takeover.Stats{Threads: 2, States: 3, Skipped: 1}); !errors.Is(err, cut) || stats != want {
			t.Errorf("history %d: interrupted: %+v, %v, want %+v and the interruption", history, stats, err, want)
		}
		stats, err = takeover.Into(t.Context(), store, given(nil, append(first, state("a", 3), state("c", 1))...))
		want := takeover.Stats{Threads: 3, States: 5, Skipped: 1}
		if history == 1 { // versions 1 of the threads of two states are gone
			want.States = 4
		}
		if err != nil || stats != want {
			t.Errorf("history %d: again: %+v, %v, want %+v", history, stats, err, want)
		}
		wantContents := `a@1 {"n":1}; a@2 {"n":2}; a@3 {"n":3}; b@1 {"n":1}; c@1 {"n":1}; own@1 "mine"`
		if history == 1 {
			wantContents = `a@3 {"n":3}; b@1 {"n":1}; c@1 {"n":1}; own@1 "mine"`
		}
		if got := contents(t, store); got != wantContents {
			t.Errorf("history %d: the store has %s, want %s", history, got, wantContents)
		}
	}
}

func TestIntoKeepsTimesAndNumbers(t *testing.T) {
	t.Parallel()
	saved := time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	store := newStore(t, checkpoint.WithHistory(2))
	stats, err := takeover.Into(t.Context(), store, given(nil,
		takeover.State{Thread: "t", JSON: []byte(`{"n": 9007199254740993, "f": 1.0}`), SavedAt: saved},
		takeover.State{Thread: "t", JSON: []byte(`2`), SavedAt: saved.Add(time.Hour), ExpiresAt: expires},
		takeover.State{Thread: "over", JSON: []byte(`1`), ExpiresAt: time.Now().Add(-time.Second)}))
	if want := (takeover.Stats{Threads: 1, States: 2, Expired: 1}); err != nil || stats != want {
		t.Errorf("got %+v, %v, want %+v", stats, err, want)
	}
	var raw json.RawMessage
	info, err := store.LoadVersion(t.Context(), "t", 1, &raw)
	if err != nil || !info.SavedAt.Equal(saved) || string(raw) != `{"n":9007199254740993,"f":1.0}` {
		t.Errorf("version 1 = %s saved at %v, %v", raw, info.SavedAt, err)
	}
	info, err = store.Stat(t.Context(), "t")
	if err != nil || !info.CreatedAt.Equal(saved) || !info.SavedAt.Equal(saved.Add(time.Hour)) || !info.ExpiresAt.Equal(expires) {
		t.Errorf("the thread is %+v, %v, want it created at %v and to expire at %v", info, err, saved, expires)
	}
}

// TestIntoATTL: a state whose time by the store's TTL is over is left out, and what
// comes after it begins a new life.
func TestIntoATTL(t *testing.T) {
	t.Parallel()
	store, now := newStore(t, checkpoint.WithTTL(time.Hour), checkpoint.WithHistory(9)), time.Now()
	stats, err := takeover.Into(t.Context(), store, given(nil,
		takeover.State{Thread: "t", JSON: []byte(`1`), SavedAt: now.Add(-3 * time.Hour)},
		takeover.State{Thread: "t", JSON: []byte(`2`), SavedAt: now.Add(-time.Minute)}))
	if want := (takeover.Stats{Threads: 1, States: 1, Expired: 1}); err != nil || stats != want {
		t.Errorf("got %+v, %v, want %+v", stats, err, want)
	}
	if got := contents(t, store); got != "t@1 2" {
		t.Errorf("the store has %s, want t@1 2", got)
	}
}

func TestIntoRefuses(t *testing.T) {
	t.Parallel()
	store := newStore(t, checkpoint.WithMaxStateSize(100))
	stats, err := takeover.Into(t.Context(), store, given(nil,
		state("", 1), state("good", 1), takeover.State{Thread: "broken", JSON: []byte(`{`)},
		takeover.State{Thread: "large", JSON: []byte(`"` + strings.Repeat("x", 200) + `"`)}, state("better", 1)))
	if want := (takeover.Stats{Threads: 2, States: 2, Refused: 3}); stats != want {
		t.Errorf("got %+v, want %+v", stats, want)
	}
	if !errors.Is(err, checkpoint.ErrInvalid) || !errors.Is(err, checkpoint.ErrTooLarge) || !strings.HasPrefix(err.Error(), "3 states cannot be kept: ") {
		t.Errorf("got %v, want both kinds of refusals", err)
	}
	if got := contents(t, store); got != `better@1 {"n":1}; good@1 {"n":1}` {
		t.Errorf("the store has %s", got)
	}
}

// TestIntoABrokenStore: an error of the database ends it, however much is to come.
func TestIntoABrokenStore(t *testing.T) {
	t.Parallel()
	store := checkpoint.New(memory.New())
	store.Close()
	endless := func(yield func(takeover.State, error) bool) {
		for i := 0; yield(state(fmt.Sprint(i), i), nil); i++ {
		}
	}
	if _, err := takeover.Into(t.Context(), store, endless); !errors.Is(err, driver.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

// read returns what a source yields as text.
func read(states iter.Seq2[takeover.State, error]) string {
	var all []string
	for s, err := range states {
		if err != nil {
			all = append(all, "error: "+err.Error())
			continue
		}
		text := s.Thread + " " + string(s.JSON)
		for _, at := range []time.Time{s.SavedAt, s.ExpiresAt} {
			if !at.IsZero() {
				text += " " + at.UTC().Format(time.RFC3339Nano)
			}
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func TestJSONLines(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"{\"thread\":\"a\",\"state\":{\"n\": 1}}\n\n {\"thread\":\"b\",\"state\":null}\r\n":                     `a {"n": 1}; b null`,
		`{"thread":"a","state":1,"saved_at":"2026-05-01T12:00:00Z","expires_at":"2026-05-02T12:00:00.5+02:00"}`: "a 1 2026-05-01T12:00:00Z 2026-05-02T10:00:00.5Z",
		"": "",
		"{\"thread\":\"a\",\"state\":1}\n{\"thread\":\"b\"}\n": `a 1; error: line 2: "thread" or "state" is missing`,
		`{"state":1}`:                          `error: line 1: "thread" or "state" is missing`,
		`{"thread":"a","state":1} {}`:          "error: line 1: there is more than one object in it",
		`{"thread":"a","state":1,"version":2}`: `error: line 1: not an object with thread and state, saved_at and expires_at at most: json: unknown field "version"`,
	} {
		if got := read(takeover.JSONLines(strings.NewReader(in))); got != want {
			t.Errorf("%s\nis read as %s\nwant       %s", in, got, want)
		}
	}
	long := `{"thread":"a","state":"` + strings.Repeat("x", checkpoint.DefaultMaxStateSize) + `"}`
	if got := read(takeover.JSONLines(strings.NewReader(long))); got != "error: line 1: longer than 16777216 bytes: state too large" {
		t.Errorf("a line that is too long is read as %.100s", got)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	changed := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s), ModTime: changed} }
	folder := fstest.MapFS{"b.json": file("2"), "a/x.json": file("1"), "README": file("no"), "c.json/d.json": file("3")}
	const at = " 2026-01-02T03:04:05Z"
	if got, want := read(takeover.Folder(folder)), "a/x 1"+at+"; b 2"+at+"; c.json/d 3"+at; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	folder["a/large.json"] = file(strings.Repeat(" ", checkpoint.DefaultMaxStateSize+1))
	if got, want := read(takeover.Folder(folder)), "error: a/large.json has more than 16777216 bytes: state too large"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "old.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE sessions (id TEXT, state TEXT, at ANY);
		INSERT INTO sessions VALUES ('a', '{"n":1}', '2026-05-01 12:00:00'), ('a', '{"n":2}', 1777640400), ('b', x'7b7d', NULL), ('c', '3', 'yesterday')`); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"SELECT id, state, at FROM sessions WHERE id < 'c' ORDER BY id, rowid":           `a {"n":1} 2026-05-01T12:00:00Z; a {"n":2} 2026-05-01T13:00:00Z; b {}`,
		"SELECT id, state, NULL, '2031-01-01T00:00:00.25Z' FROM sessions WHERE id = 'b'": `b {} 2031-01-01T00:00:00.25Z`,
		"SELECT id, state FROM sessions WHERE id = 'c'":                                  "c 3",
		"SELECT id FROM sessions":                                        "error: the query selects 1 columns; want the thread, the state and, if they are known, when it was saved and when it expires",
		"SELECT id, NULL FROM sessions":                                  "error: row 1: the thread or the state is NULL; leave such rows out by a WHERE",
		"SELECT id, state, at FROM sessions WHERE id >= 'b' ORDER BY id": "b {}; error: row 2: a time is wanted, as 2026-05-01T12:00:00Z or in seconds since 1970",
		"SELECT missing FROM sessions":                                   "error: the query failed: SQL logic error: no such column: missing (1)",
	} {
		if got := read(takeover.Query(t.Context(), db, query)); got != want {
			t.Errorf("%s yields\n%s, want\n%s", query, got, want)
		}
	}
}

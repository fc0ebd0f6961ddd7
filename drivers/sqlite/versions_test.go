package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
)

// saveLog saves versions of a thread, all of which are kept, each with a state of
// that many bytes that begins with the life's name and the version.
func saveLog(t testing.TB, b driver.Backend, thread, life string, versions, bytes int) {
	t.Helper()
	for i := range versions {
		state := fmt.Sprint(life, i+1, ":")
		req := request(thread, state+strings.Repeat("x", max(0, bytes-len(state))))
		req.ID, req.Encoding, req.Keep = fmt.Sprint(life, i+1), "bytes", driver.KeepAll
		save(t, b, req)
	}
}

// readLog returns what the states begin with, and the errors of damaged ones.
func readLog(t testing.TB, b driver.Backend, req driver.VersionsRequest) []string {
	t.Helper()
	var got []string
	for c, err := range b.(driver.VersionReader).Versions(t.Context(), req) {
		state, _, _ := strings.Cut(string(c.Payload), ":")
		switch {
		case err != nil:
			state = fmt.Sprint(c.Version, " ", err)
		case len(c.Payload) != c.Size || c.Version == 0 || c.ID == "":
			t.Errorf("version %v has %d bytes", c.Info, len(c.Payload))
		}
		got = append(got, state)
	}
	return got
}

func TestVersions(t *testing.T) {
	t.Parallel()
	b := open(t, filepath.Join(t.TempDir(), "agents.db")+"?synchronous=normal")
	saveLog(t, b, "log", "v", 250, 0)
	saveLog(t, b, "large", "v", 5, 5<<20)
	saveLog(t, b, "huge", "v", 4, 16<<20)
	mixed := make([]string, 0, 60)
	for i := range 60 {
		saveLog(t, b, "mixed", fmt.Sprint("m", i, "-"), 1, 1+i%3*200_000)
		mixed = append(mixed, fmt.Sprint("m", i, "-1"))
	}
	all := make([]string, 250)
	for i := range all {
		all[i] = fmt.Sprint("v", i+1)
	}
	newest := slices.Clone(all)
	slices.Reverse(newest)
	for _, tt := range []struct {
		name, thread string
		req          driver.VersionsRequest
		want         []string
	}{
		{"all", "log", driver.VersionsRequest{}, all},
		{"newest", "log", driver.VersionsRequest{Newest: true}, newest},
		{"the last", "log", driver.VersionsRequest{From: 250}, all[249:]},
		{"from above", "log", driver.VersionsRequest{From: 251}, nil},
		{"range", "log", driver.VersionsRequest{From: 100, To: 102}, all[99:102]},
		{"range, newest", "log", driver.VersionsRequest{From: 100, To: 102, Newest: true}, newest[148:151]},
		{"limit over a page", "log", driver.VersionsRequest{From: 2, Limit: 101}, all[1:102]},
		{"limit 1", "log", driver.VersionsRequest{Newest: true, Limit: 1}, newest[:1]},
		{"large", "large", driver.VersionsRequest{}, all[:5]},
		{"huge", "huge", driver.VersionsRequest{}, all[:4]},
		{"huge, newest", "huge", driver.VersionsRequest{Newest: true}, newest[246:]},
		{"of all sizes", "mixed", driver.VersionsRequest{}, mixed},
		{"absent", "absent", driver.VersionsRequest{}, nil},
	} {
		tt.req.Key, tt.req.Now = key(tt.thread), now
		if got := readLog(t, b, tt.req); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestVersionsOfOneLife ends the life of a thread while a loop is between two
// pages, and begins another at the same microsecond with as many versions.
func TestVersionsOfOneLife(t *testing.T) {
	t.Parallel()
	for _, newest := range []bool{false, true} {
		b := open(t, filepath.Join(t.TempDir(), "agents.db")+"?synchronous=normal")
		saveLog(t, b, "log", "first", 150, 0)
		n := 0
		for c, err := range b.(driver.VersionReader).Versions(t.Context(), driver.VersionsRequest{Key: key("log"), Newest: newest, Now: now}) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 1 {
				if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key("log"), Now: now}); err != nil {
					t.Fatal(err)
				}
				saveLog(t, b, "log", "second", 150, 0)
			}
			if want := fmt.Sprint("first", c.Version); c.ID != want {
				t.Fatalf("version %d has the id %s, want %s", c.Version, c.ID, want)
			}
		}
		if n != driver.VersionsPage {
			t.Errorf("newest %v: %d versions, want the %d of the first page", newest, n, driver.VersionsPage)
		}
	}
}

// TestVersionsTrimmed drops versions under a loop: they are left out.
func TestVersionsTrimmed(t *testing.T) {
	t.Parallel()
	b := open(t, filepath.Join(t.TempDir(), "agents.db")+"?synchronous=normal")
	saveLog(t, b, "log", "v", 220, 0)
	var got []int64
	for c, err := range b.(driver.VersionReader).Versions(t.Context(), driver.VersionsRequest{Key: key("log"), Now: now}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			req := request("log", "{}")
			req.Keep = 5 // 217 to 221
			save(t, b, req)
		}
		got = append(got, c.Version)
	}
	want := make([]int64, 100)
	for i := range want {
		want[i] = int64(i + 1)
	}
	want = append(want, 217, 218, 219, 220, 221)
	if !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
}

// TestVersionsDamaged damages rows in a log: each is yielded with its version and
// an error, and the others as they are.
func TestVersionsDamaged(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	b := open(t, file)
	saveLog(t, b, "log", "v", 8, 0)
	saveLog(t, b, "log-large", "v", 3, 200_000)
	db := given(t, "file:"+file+"?_pragma=busy_timeout(5000)", 1)
	if _, err := db.Exec(`
		UPDATE agent_checkpoints SET state = x'00' WHERE thread_id = 'log' AND version = 2;
		UPDATE agent_checkpoints SET metadata = 'secret' WHERE thread_id = 'log' AND version = 3;
		UPDATE agent_checkpoints SET created_at = 'secret' WHERE thread_id = 'log' AND version = 5;
		UPDATE agent_checkpoints SET size = 'secret' WHERE thread_id = 'log' AND version = 7;
		UPDATE agent_checkpoints SET state = x'00' WHERE thread_id = 'log-large' AND version = 2;
	`); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		thread string
		ids    []string // "" where a version is damaged
	}{
		{"log", []string{"v1", "", "", "v4", "", "v6", "", "v8"}},
		{"log-large", []string{"v1", "", "v3"}},
	} {
		for _, newest := range []bool{false, true} {
			version := int64(0)
			for c, err := range b.(driver.VersionReader).Versions(t.Context(), driver.VersionsRequest{Key: key(tt.thread), Newest: newest, Now: now}) {
				version++
				want := version
				if newest {
					want = int64(len(tt.ids)) + 1 - version
				}
				if c.Version != want {
					t.Fatalf("%s: version %d, want %d (error %v)", tt.thread, c.Version, want, err)
				}
				if id := tt.ids[want-1]; id == "" {
					if !errors.Is(err, driver.ErrCorrupt) || strings.Contains(err.Error(), "secret") || c.Payload != nil {
						t.Errorf("%s: version %d: %v with %d bytes, want ErrCorrupt", tt.thread, want, err, len(c.Payload))
					}
				} else if err != nil || c.ID != id {
					t.Errorf("%s: version %d: id %s, %v; want %s", tt.thread, want, c.ID, err, id)
				}
			}
			if version != int64(len(tt.ids)) {
				t.Errorf("%s: %d versions, want %d", tt.thread, version, len(tt.ids))
			}
		}
	}
	if _, err := db.Exec(`UPDATE agent_checkpoints SET version = 'secret' WHERE thread_id = 'log' AND latest = 1`); err != nil {
		t.Fatal(err)
	}
	got := readLog(t, b, driver.VersionsRequest{Key: key("log"), From: 6, Now: now})
	if len(got) != 3 || got[0] != "v6" || !strings.HasPrefix(got[1], "7 ") || !strings.HasPrefix(got[2], "0 ") {
		t.Errorf("with a damaged number of the latest version: got %q, want v6, the error of 7, and one of the latest", got)
	}
}

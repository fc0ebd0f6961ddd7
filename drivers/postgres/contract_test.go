package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestOneOfManyConditionalDeletions: of deletions and saves on one condition
// exactly one succeeds, in every isolation level a database can have, and what the
// others are told is not what they asked for.
func TestOneOfManyConditionalDeletions(t *testing.T) {
	t.Parallel()
	for _, isolation := range []string{"read committed", "repeatable read", "serializable"} {
		t.Run(isolation, func(t *testing.T) {
			t.Parallel()
			dsn := testserver.Postgres(t)
			name := selectText(t, plain(t, dsn), "SELECT current_database()")
			mustExec(t, plain(t, dsn), "ALTER DATABASE "+name+" SET default_transaction_isolation = '"+isolation+"'")
			b := openReady(t, words(dsn, "max_connections=12"))
			for round := range 30 {
				thread := fmt.Sprint("thread-", round)
				info := mustSave(t, b, save(thread, `1`))
				match := driver.Match{ID: info.ID}
				if round%2 == 1 {
					match = driver.Match{Version: info.Version}
				}
				var won atomic.Int32
				var running sync.WaitGroup
				for i := range 12 {
					running.Go(func() {
						var err error
						if i%2 == 0 {
							err = b.Delete(t.Context(), driver.DeleteRequest{Key: key(thread), Match: match, Now: time.Now()})
						} else {
							req := save(thread, `2`)
							req.Match, req.Keep = match, 1+i%3
							_, err = b.Save(t.Context(), req)
						}
						var conflict *driver.ConflictError
						switch {
						case err == nil:
							won.Add(1)
						case !errors.As(err, &conflict):
							t.Errorf("got %v, want nil or a conflict", err)
						case match.Holds(conflict.Current):
							t.Errorf("a conflict with %v, for which the condition holds", conflict.Current)
						}
					})
				}
				running.Wait()
				if won.Load() != 1 {
					t.Errorf("round %d: %d deletions and saves on one condition succeeded, want 1", round, won.Load())
				}
			}
		})
	}
}

// TestLostReplyOfDeletion: nothing is left by which a deletion could be
// recognised, so that one whose reply was lost is neither repeated nor called a
// conflict.
func TestLostReplyOfDeletion(t *testing.T) {
	t.Parallel()
	direct := testserver.Postgres(t)
	for _, mode := range []string{"prepare=true", "prepare=false"} {
		proxy, dsn := behind(t, direct)
		b := openReady(t, words(dsn, mode))
		for _, drop := range []bool{true, false} {
			thread := fmt.Sprint(mode, drop)
			info := mustSave(t, b, save(thread, `1`))
			match := func(request []byte) bool { return strings.Contains(string(request), info.ID) }
			if drop {
				proxy.DropReplyMatching(1, match)
			} else {
				proxy.CutRequestMatching(1, match)
			}
			err := b.Delete(t.Context(), driver.DeleteRequest{Key: key(thread), Match: driver.Match{ID: info.ID}, Now: time.Now()})
			if !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("%s, applied %v: got %v, want ErrUnavailable", mode, drop, err)
			}
			if _, err := load(t.Context(), b, thread); drop != errors.Is(err, driver.ErrNotFound) {
				t.Errorf("%s, applied %v: Load afterwards: %v", mode, drop, err)
			}
		}
	}
}

// logged makes a thread with n versions, each with its number as its state.
func logged(t testing.TB, b driver.Backend, thread string, n int) []driver.Info {
	t.Helper()
	infos := make([]driver.Info, n)
	for i := range infos {
		req := save(thread, fmt.Sprint(i+1))
		req.Keep = driver.KeepAll
		infos[i] = mustSave(t, b, req)
	}
	return infos
}

func versions(ctx context.Context, b driver.VersionReader, req driver.VersionsRequest) (numbers []int64, err error) {
	for c, e := range b.Versions(ctx, req) {
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		if string(c.Payload) != fmt.Sprint(c.Version) {
			err = errors.Join(err, fmt.Errorf("version %d has the payload %q", c.Version, c.Payload))
		}
		numbers = append(numbers, c.Version)
	}
	return numbers, err
}

func numbers(from, to int64) (n []int64) {
	step := int64(1)
	if from > to {
		step = -1
	}
	for i := from; i != to+step; i += step {
		n = append(n, i)
	}
	return n
}

func TestVersionsInPages(t *testing.T) {
	t.Parallel()
	proxy, dsn := behind(t, testserver.Postgres(t))
	b := openReady(t, words(dsn, "max_connections=1"))
	logged(t, b, "log", 230)
	now := time.Now()
	for _, tt := range []struct {
		name  string
		req   driver.VersionsRequest
		want  []int64
		trips int64
	}{
		{"all", driver.VersionsRequest{}, numbers(1, 230), 3},
		{"newest first", driver.VersionsRequest{Newest: true}, numbers(230, 1), 3},
		{"from", driver.VersionsRequest{From: 200}, numbers(200, 230), 1},
		{"to", driver.VersionsRequest{To: 100}, numbers(1, 100), 1},
		{"range, newest first", driver.VersionsRequest{From: 31, To: 230, Newest: true}, numbers(230, 31), 2},
		{"limit", driver.VersionsRequest{From: 5, Limit: 7}, numbers(5, 11), 1},
		{"limit of two pages", driver.VersionsRequest{Limit: 101}, numbers(1, 101), 2},
		{"the latest", driver.VersionsRequest{Newest: true, Limit: 1}, numbers(230, 230), 1},
		{"behind the end", driver.VersionsRequest{From: 231}, nil, 1},
	} {
		tt.req.Key, tt.req.Now = key("log"), now
		for range 2 { // the first one prepares
			before := proxy.Counts()
			got, err := versions(t.Context(), b, tt.req)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%s: got %v, %v, want %v", tt.name, got, err, tt.want)
			}
			if trips := proxy.Counts().Sub(before).RoundTrips; trips > tt.trips+1 {
				t.Errorf("%s: %d round trips, want %d", tt.name, trips, tt.trips)
			}
		}
		before := proxy.Counts()
		if _, err := versions(t.Context(), b, tt.req); err != nil {
			t.Error(err)
		}
		if trips := proxy.Counts().Sub(before).RoundTrips; trips != tt.trips {
			t.Errorf("%s: %d round trips, want %d", tt.name, trips, tt.trips)
		}
	}
}

// TestVersionsAreBoundInBytes: a page holds no more than VersionsBytes, or two
// states.
func TestVersionsAreBoundInBytes(t *testing.T) {
	t.Parallel()
	proxy, dsn := behind(t, testserver.Postgres(t))
	b := openReady(t, words(dsn, "max_connections=1"))
	for _, tt := range []struct {
		size, count int
		trips       int64
	}{
		{driver.VersionsBytes + 1<<20, 5, 3},
		{1 << 20, 20, 3},
		{driver.VersionsBytes / 4, 8, 2},
	} {
		thread := fmt.Sprint(tt.size)
		for range tt.count {
			req := save(thread, strings.Repeat("x", tt.size))
			req.Encoding, req.Keep = "bytes", driver.KeepAll
			mustSave(t, b, req)
		}
		for _, newest := range []bool{false, true} {
			read := func() (n int) {
				for c, err := range b.Versions(t.Context(), driver.VersionsRequest{Key: key(thread), Newest: newest, Now: time.Now()}) {
					if err != nil || len(c.Payload) != tt.size {
						t.Fatalf("version %d: %d bytes, %v", c.Version, len(c.Payload), err)
					}
					n++
				}
				return n
			}
			read() // prepares
			before := proxy.Counts()
			if n := read(); n != tt.count {
				t.Errorf("%d versions of %d bytes, want %d", n, tt.size, tt.count)
			}
			if trips := proxy.Counts().Sub(before).RoundTrips; trips != tt.trips {
				t.Errorf("%d versions of %d bytes took %d round trips, want %d", tt.count, tt.size, trips, tt.trips)
			}
		}
	}
}

// TestVersionsUnderChange: what happens to a thread while its versions are read.
func TestVersionsUnderChange(t *testing.T) {
	t.Parallel()
	b := openReady(t, testserver.Postgres(t))
	now := time.Now().UTC().Truncate(time.Microsecond)
	remove := func(thread string) {
		if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key(thread)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		change func(thread string)
		up     []int64 // what is yielded beside the first page of 150 versions
		down   []int64
	}{
		{"nothing", func(string) {}, numbers(101, 150), numbers(50, 1)},
		{"deleted", remove, nil, nil},
		{"saved again, with one version", func(thread string) { remove(thread); logged(t, b, thread, 1) }, nil, nil},
		{"saved again, at the same microsecond", func(thread string) {
			remove(thread)
			for i := range 200 {
				req := save(thread, fmt.Sprint(i+1))
				req.Keep, req.Now = driver.KeepAll, now
				mustSave(t, b, req)
			}
		}, nil, nil},
		{"trimmed", func(thread string) {
			req := save(thread, "151")
			req.Keep = 31
			mustSave(t, b, req)
		}, numbers(121, 151), nil},
	} {
		for _, newest := range []bool{false, true} {
			thread := fmt.Sprint(tt.name, newest)
			for i := range 150 {
				req := save(thread, fmt.Sprint(i+1))
				req.Keep, req.Now = driver.KeepAll, now
				mustSave(t, b, req)
			}
			var got []int64
			for c, err := range b.Versions(t.Context(), driver.VersionsRequest{Key: key(thread), Newest: newest, Now: time.Now()}) {
				if err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
				if len(got) == 0 {
					tt.change(thread)
				}
				got = append(got, c.Version)
			}
			want := append(numbers(1, 100), tt.up...)
			if newest {
				want = append(numbers(150, 51), tt.down...)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, newest first %v: got %v, want %v", tt.name, newest, got, want)
			}
		}
	}
}

// TestDamagedVersions: a version that cannot be read is yielded with its number
// and an error, and the others are read.
func TestDamagedVersions(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	db, b := plain(t, dsn), openReady(t, dsn)
	for name, damage := range map[string]string{
		"size":     `UPDATE agent_checkpoints_history SET payload = '\x00', size = 7 WHERE thread_id = 'size' AND version = 3`,
		"metadata": `UPDATE agent_checkpoints_history SET metadata = '[]' WHERE thread_id = 'metadata' AND version = 3`,
		"encoding": `UPDATE agent_checkpoints_history SET encoding = 'gob' WHERE thread_id = 'encoding' AND version = 3`,
	} {
		logged(t, b, name, 5)
		mustExec(t, db, damage)
		for _, newest := range []bool{false, true} {
			var good, bad []int64
			for c, err := range b.Versions(t.Context(), driver.VersionsRequest{Key: key(name), Newest: newest, Now: time.Now()}) {
				switch {
				case err == nil:
					good = append(good, c.Version)
				case !errors.Is(err, driver.ErrCorrupt) || c.Key != key(name):
					t.Errorf("%s: got %v, %v, want ErrCorrupt", name, c, err)
				default:
					bad = append(bad, c.Version)
				}
			}
			slices.Sort(good)
			if !slices.Equal(good, []int64{1, 2, 4, 5}) || !slices.Equal(bad, []int64{3}) {
				t.Errorf("%s: versions %v are whole and %v damaged, want 1, 2, 4, 5 and 3", name, good, bad)
			}
		}
	}
}

// TestDamagedThreads: a thread that cannot be read is listed with its name and an
// error, and hides no other.
func TestDamagedThreads(t *testing.T) {
	t.Parallel()
	dsn := testserver.Postgres(t)
	db, b := plain(t, dsn), openReady(t, dsn)
	mustExec(t, db, `INSERT INTO agent_checkpoints (thread_id, state, id, size, metadata)
		SELECT 'thread-' || to_char(g, 'FM000'), '{}', 'id', 2, CASE WHEN g % 100 = 7 THEN '[]'::jsonb END FROM generate_series(1, 300) g`)
	for _, limit := range []int{0, 107, 108, 250} {
		var good, bad int
		for info, err := range b.List(t.Context(), driver.ListRequest{Namespace: "agents", Prefix: "thread-", Limit: limit, Now: time.Now()}) {
			if want := fmt.Sprintf("thread-%03d", good+bad+1); info.Thread != want {
				t.Fatalf("got %v, %v, want %s", info, err, want)
			}
			switch damaged := strings.HasSuffix(info.Thread, "07"); {
			case damaged != errors.Is(err, driver.ErrCorrupt), !damaged && err != nil:
				t.Errorf("%s: got %v", info.Thread, err)
			case damaged:
				bad++
			default:
				good++
			}
		}
		want := limit
		if limit == 0 {
			want = 300
		}
		if good+bad != want {
			t.Errorf("limit %d: %d whole and %d damaged threads, want %d", limit, good, bad, want)
		}
	}
}

func TestDeletePrefix(t *testing.T) {
	t.Parallel()
	dsn := testserver.PostgresInEnglish(t)
	db, b := plain(t, dsn), openReady(t, dsn)
	mustExec(t, db, `INSERT INTO agent_checkpoints (thread_id, state, id, size, expires_at)
		SELECT 'run-' || g, '{}', 'id', 2, CASE WHEN g % 2 = 0 THEN timestamptz '2001-01-01' END FROM generate_series(1, 1700) g`,
		`INSERT INTO agent_checkpoints (namespace, thread_id, state, id, size) VALUES ('other', 'run-1', '{}', 'id', 2)`)
	outside := []string{"Run-1", "run", "run_1", "run.", "ru", "run", "run%", "ruo"}
	for _, thread := range outside {
		mustSave(t, b, save(thread, `1`))
	}
	last := strings.Repeat("\U0010FFFF", 128)
	mustSave(t, b, save(last, `1`))
	logged(t, b, "run-log", 3)

	n, err := b.DeletePrefix(t.Context(), driver.DeletePrefixRequest{Namespace: "agents", Prefix: "run-", Now: time.Now()})
	if n != 851 || err != nil {
		t.Errorf("DeletePrefix: got %d, %v, want 851 live threads", n, err)
	}
	if got := selectText(t, db, `SELECT count(*) FROM agent_checkpoints WHERE thread_id LIKE 'run-%' AND namespace = 'agents'`); got != "0" {
		t.Errorf("%s rows under the prefix are left", got)
	}
	if got := selectText(t, db, `SELECT count(*) FROM agent_checkpoints_history`); got != "0" {
		t.Errorf("%s old versions are left", got)
	}
	for _, thread := range append(outside, last) {
		if _, err := load(t.Context(), b, thread); err != nil {
			t.Errorf("Load(%q), which is outside of the prefix: %v", thread, err)
		}
	}
	if got := selectText(t, db, `SELECT count(*) FROM agent_checkpoints WHERE namespace = 'other'`); got != "1" {
		t.Error("DeletePrefix has removed a thread of another namespace")
	}
	for prefix, want := range map[string]int64{"run-": 0, "\xff": 0, "\U0010FFFF": 1, "\x00": 0} {
		if n, err := b.DeletePrefix(t.Context(), driver.DeletePrefixRequest{Namespace: "agents", Prefix: prefix, Now: time.Now()}); n != want || err != nil {
			t.Errorf("DeletePrefix(%q): got %d, %v, want %d", prefix, n, err, want)
		}
	}
}

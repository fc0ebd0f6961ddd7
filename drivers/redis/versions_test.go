package redis

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// fillLog saves n versions, all of them kept.
func fillLog(t testing.TB, b driver.Backend, key driver.Key, n int, payload []byte) (infos []driver.Info) {
	t.Helper()
	for range n {
		req := request(key, payload)
		req.Keep = driver.KeepAll
		infos = append(infos, mustSave(t, b, req))
	}
	return infos
}

// readLog returns the numbers of the versions read, negative for damaged ones.
func readLog(t testing.TB, b *backend, req driver.VersionsRequest) (versions []int64) {
	t.Helper()
	req.Now = time.Now()
	for cp, err := range b.Versions(t.Context(), req) {
		switch {
		case errors.Is(err, driver.ErrCorrupt) && cp.Version != 0:
			versions = append(versions, -cp.Version)
		case err != nil:
			t.Fatal(err)
		default:
			versions = append(versions, cp.Version)
		}
	}
	return versions
}

// TestVersionsPages counts round trips and what they carry: a page has 100 small
// versions, and of large ones no more than its bytes, or two.
func TestVersionsPages(t *testing.T) {
	t.Parallel()
	b, proxy := through(t, testserver.Redis(t), "")
	for _, c := range []struct {
		name     string
		versions int
		size     int
		want     int64
	}{
		{"a page", 100, 20, 1},
		{"more than a page", 101, 20, 2},
		{"half of the bytes", 5, driver.VersionsBytes / 2, 3},
		{"a quarter of the bytes", 8, driver.VersionsBytes / 4, 2},
		{"16 MiB each", 3, 16 << 20, 2},
	} {
		key := driver.Key{Namespace: namespace(), Thread: c.name}
		fillLog(t, b, key, c.versions, make([]byte, c.size))
		readLog(t, b, driver.VersionsRequest{Key: key, Limit: 1}) // the script becomes known
		for _, newest := range []bool{false, true} {
			before := proxy.Counts()
			got := readLog(t, b, driver.VersionsRequest{Key: key, Newest: newest})
			trips := proxy.Counts().Sub(before).Requests
			if newest {
				slices.Reverse(got)
			}
			if len(got) != c.versions || got[0] != 1 || !slices.IsSorted(got) {
				t.Errorf("%s, newest %t: versions %v, want 1 to %d", c.name, newest, got, c.versions)
			}
			if trips != c.want {
				t.Errorf("%s, newest %t: %d round trips, want %d", c.name, newest, trips, c.want)
			}
		}
	}
}

// TestVersionsOfAnotherLife deletes a thread under a loop and saves it again, with
// the same times and numbers: nothing of the new life is read.
func TestVersionsOfAnotherLife(t *testing.T) {
	t.Parallel()
	b := openDSN(t, testserver.Redis(t))
	now := time.Now().UTC().Truncate(time.Microsecond)
	fill := func(key driver.Key, n int) {
		for range n {
			req := request(key, nil)
			req.Keep, req.Now = driver.KeepAll, now
			mustSave(t, b, req)
		}
	}
	for name, read := range map[string]func(key driver.Key, again func()) int{
		"Versions": func(key driver.Key, again func()) (n int) {
			for _, err := range b.Versions(t.Context(), driver.VersionsRequest{Key: key, Now: now}) {
				if err != nil {
					t.Fatal(err)
				}
				if n++; n == 1 {
					again()
				}
			}
			return n
		},
		"History": func(key driver.Key, again func()) (n int) {
			for _, err := range b.History(t.Context(), driver.HistoryRequest{Key: key, Now: now}) {
				if err != nil {
					t.Fatal(err)
				}
				if n++; n == 1 {
					again()
				}
			}
			return n
		},
	} {
		want := map[string]int{"Versions": driver.VersionsPage, "History": page}[name]
		key := driver.Key{Namespace: namespace(), Thread: name}
		fill(key, want+20)
		got := read(key, func() {
			if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key}); err != nil {
				t.Fatal(err)
			}
			fill(key, want+30)
		})
		if got != want {
			t.Errorf("%s read %d versions of two lives, want %d of the first one", name, got, want)
		}
	}
}

// TestEvictedInfos loses the hash of past infos, as a server that evicts may: the
// list has them all.
func TestEvictedInfos(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	b, admin := openDSN(t, dsn), clientOf(t, dsn)
	key := driver.Key{Namespace: namespace(), Thread: "thread"}
	infos := fillLog(t, b, key, 5, []byte("state"))
	if err := admin.Del(t.Context(), b.layout.past(key.Namespace, key.Thread)).Err(); err != nil {
		t.Fatal(err)
	}
	check := func(latest int64) {
		t.Helper()
		if got := history(t, b, driver.HistoryRequest{Key: key}); int64(len(got)) != latest || got[0] != latest {
			t.Errorf("History: %v, want %d to 1", got, latest)
		}
		if got := readLog(t, b, driver.VersionsRequest{Key: key}); int64(len(got)) != latest {
			t.Errorf("Versions: %v, want 1 to %d", got, latest)
		}
		found, err := b.Find(t.Context(), driver.FindRequest{Key: key, ID: infos[1].ID, Now: time.Now()})
		if err != nil || found.Version != 2 {
			t.Errorf("Find: version %d, %v, want 2", found.Version, err)
		}
	}
	check(5)
	fillLog(t, b, key, 1, []byte("state")) // the hash has one info again
	check(6)
	again := request(key, []byte("state"))
	again.ID, again.Keep = infos[2].ID, driver.KeepAll
	if info := mustSave(t, b, again); info.Version != 3 {
		t.Errorf("a repeated save is version %d, want 3", info.Version)
	}
}

// TestDamagedVersion: a damaged version hides no other one.
func TestDamagedVersion(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	b, admin := openDSN(t, dsn), clientOf(t, dsn)
	key := driver.Key{Namespace: namespace(), Thread: "thread"}
	fillLog(t, b, key, 5, []byte("state"))
	list := b.layout.list(key.Namespace, key.Thread)
	if err := errors.Join(
		admin.LSet(t.Context(), list, 2, "st").Err(),    // the payload of version 4
		admin.LSet(t.Context(), list, 7, "other").Err(), // the info of version 2
	); err != nil {
		t.Fatal(err)
	}
	if got, want := readLog(t, b, driver.VersionsRequest{Key: key}), []int64{1, -2, 3, -4, 5}; !slices.Equal(got, want) {
		t.Errorf("Versions: %v, want %v", got, want)
	}
}

// TestDamagedThread: a damaged thread hides no other one from a list.
func TestDamagedThread(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	b, admin := openDSN(t, dsn), clientOf(t, dsn)
	ns := namespace()
	for _, thread := range []string{"a", "b", "c"} {
		mustSave(t, b, request(driver.Key{Namespace: ns, Thread: thread}, []byte("state")))
	}
	if err := admin.LSet(t.Context(), b.layout.list(ns, "b"), 1, "nonsense").Err(); err != nil {
		t.Fatal(err)
	}
	for name, infos := range map[string]iter.Seq2[driver.Info, error]{
		"Backend": b.List(t.Context(), driver.ListRequest{Namespace: ns, Now: time.Now()}),
		"Store":   checkpoint.New(b, checkpoint.WithNamespace(ns)).List(t.Context(), checkpoint.ListOptions{}),
	} {
		var got []string
		for info, err := range infos {
			got = append(got, fmt.Sprintf("%s %t", info.Thread, errors.Is(err, driver.ErrCorrupt)))
		}
		if want := []string{"a false", "b true", "c false"}; !slices.Equal(got, want) {
			t.Errorf("%s.List: %v, want %v", name, got, want)
		}
	}
}

// TestConditionalDeleteLostReply loses the reply to a deletion on condition: the
// answer is not a conflict with itself.
func TestConditionalDeleteLostReply(t *testing.T) {
	t.Parallel()
	for name, match := range map[string]func(driver.Info) driver.Match{
		"ID":      func(i driver.Info) driver.Match { return driver.Match{ID: i.ID} },
		"Version": func(i driver.Info) driver.Match { return driver.Match{Version: i.Version} },
		"Exists":  func(driver.Info) driver.Match { return driver.Match{Exists: true} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, proxy := through(t, testserver.Redis(t), "")
			key := driver.Key{Namespace: namespace(), Thread: "thread-to-delete"}
			remove := func(lose func(*faultproxy.Proxy, func([]byte) bool)) error {
				info := mustSave(t, b, request(key, nil))
				if err := b.Delete(t.Context(), driver.DeleteRequest{Key: driver.Key{Namespace: key.Namespace, Thread: "x"}}); err != nil {
					t.Fatal(err)
				}
				lose(proxy, func(request []byte) bool {
					return bytes.Contains(request, []byte(deleteScript.digest)) && bytes.Contains(request, []byte(key.Thread))
				})
				return b.Delete(t.Context(), driver.DeleteRequest{Key: key, Match: match(info), Now: time.Now()})
			}
			err := remove(func(p *faultproxy.Proxy, deleting func([]byte) bool) { p.DropReplyMatching(1, deleting) })
			if !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrConflict) {
				t.Errorf("lost reply: %v, want ErrUnavailable", err)
			}
			if _, err := b.Load(t.Context(), driver.LoadRequest{Key: key, Now: time.Now()}); !errors.Is(err, driver.ErrNotFound) {
				t.Errorf("Load after it: %v, want ErrNotFound", err)
			}
			err = remove(func(p *faultproxy.Proxy, deleting func([]byte) bool) { p.CutRequestMatching(1, deleting) })
			if !errors.Is(err, driver.ErrUnavailable) {
				t.Errorf("lost request: %v, want ErrUnavailable", err)
			}
			mustLoad(t, b, key)
		})
	}
}

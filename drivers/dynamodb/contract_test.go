package dynamodb

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
)

// TestConditions decides each condition of saves and deletions in the request of
// the write, for threads with one item and with several.
func TestConditions(t *testing.T) {
	credentials(t)
	b, proxy, _ := behind(t)
	for _, keep := range []int{1, 3} {
		key := driver.Key{Namespace: "agents", Thread: fmt.Sprint("t", keep)}
		var last driver.Info
		for range 2 {
			last = mustSave(t, b, request(key.Thread, "x", keep))
		}
		for _, tt := range []struct {
			name  string
			match driver.Match
			holds bool
		}{
			{"version", driver.Match{Version: 2}, true},
			{"former version", driver.Match{Version: 1}, false},
			{"later version", driver.Match{Version: 9}, false},
			{"exists", driver.Match{Exists: true}, true},
			{"another id", driver.Match{ID: "another"}, false},
		} {
			if !tt.holds {
				req := request(key.Thread, "y", keep)
				req.Match = tt.match
				mustConflict(t, tt.name, last.ID, saveError(t, b, req))
				mustConflict(t, tt.name, last.ID, b.Delete(t.Context(), driver.DeleteRequest{Key: key, Match: tt.match, Now: testNow}))
				continue
			}
			req := request(key.Thread, "y", keep)
			req.Match = tt.match
			before := proxy.Counts()
			last = mustSave(t, b, req)
			if got := proxy.Counts().Sub(before).RoundTrips; got != map[int]int64{1: 1, 3: 3}[keep] {
				t.Errorf("save if %s, history %d: %d requests", tt.name, keep, got)
			}
		}
		// The condition is decided when the thread is removed, not before.
		before := proxy.Counts()
		if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key, Match: driver.Match{Version: last.Version}, Now: testNow}); err != nil {
			t.Errorf("delete if version: %v", err)
		}
		if got := proxy.Counts().Sub(before).RoundTrips; keep == 1 && got != 1 {
			t.Errorf("delete if version: %d requests, want 1", got)
		}
		for name, match := range map[string]driver.Match{"exists": {Exists: true}, "version": {Version: 1}, "id": {ID: last.ID}} {
			mustConflict(t, name, "", b.Delete(t.Context(), driver.DeleteRequest{Key: key, Match: match, Now: testNow}))
			req := request(key.Thread, "z", keep)
			req.Match = match
			mustConflict(t, name, "", saveError(t, b, req))
		}
	}
	if n := countItems(t, b); n != 0 {
		t.Errorf("%d items are left", n)
	}
}

func saveError(t *testing.T, b driver.Backend, req driver.SaveRequest) error {
	t.Helper()
	_, err := b.Save(t.Context(), req)
	return err
}

// mustConflict checks that err is a conflict with a thread whose latest id is
// current; "" is none.
func mustConflict(t *testing.T, name, current string, err error) {
	t.Helper()
	conflict, ok := errors.AsType[*driver.ConflictError](err)
	if !ok || conflict.Current.ID != current {
		t.Errorf("if %s: got %v, want a conflict with the id %q", name, err, current)
	}
}

// TestImportExpired: DynamoDB does not remove a version by itself that expired long ago
// before the next one comes.
func TestImportExpired(t *testing.T) {
	credentials(t)
	_, _, b := behind(t)
	key := driver.Key{Namespace: "agents", Thread: "t"}
	then := time.Now().UTC().Truncate(time.Microsecond).AddDate(-1, 0, 0)
	for version := int64(1); version <= 2; version++ {
		cp := driver.Checkpoint{Payload: []byte("1"), Info: driver.Info{
			Key: key, ID: fmt.Sprint("id", version), Version: version, Encoding: "bytes", Size: 1, CreatedAt: then, SavedAt: then}}
		if version == 1 {
			cp.ExpiresAt = then.Add(time.Hour)
		}
		if err := b.(driver.Importer).Import(t.Context(), driver.ImportRequest{Checkpoint: cp, Now: then, Keep: 5}); err != nil {
			t.Fatal(err)
		}
		a, err := inside(t, b).get(t.Context(), headKey(key))
		if err != nil {
			t.Fatal(err)
		}
		r := &reader{a: a}
		if ttl := r.number("ttl"); version == 1 && ttl < time.Now().Add(ttlGrace-time.Minute).Unix() || version == 2 && ttl != 0 {
			t.Errorf("after version %d the time to live is %d, now is %d", version, ttl, time.Now().Unix())
		}
	}
	if got := versionsOf(t, b, "t"); fmt.Sprint(got) != "[2 1]" {
		t.Errorf("versions %d, want 2 and 1", got)
	}
}

// seed stores a thread of n versions as saves leave it, each with the payload, or
// with its number where that is "".
func seed(t *testing.T, b driver.Backend, thread string, n int, payload string) []driver.Info {
	t.Helper()
	op := inside(t, b)
	var infos []driver.Info
	var requests []types.WriteRequest
	var ids []string
	life := rand.Text()
	for v := range int64(n) {
		text := payload
		if text == "" {
			text = fmt.Sprint(v + 1)
		}
		i := &item{Info: newInfo(request(thread, text, n)), payload: []byte(text), life: life}
		i.Version = v + 1
		infos = append(infos, i.Info)
		if i.Version < int64(n) {
			requests = append(requests, put(i.stored(versionKey(life, i.Version))))
			ids = slices.Insert(ids, 0, i.ID)
			if v < int64(n-1-maxIDs) {
				requests = append(requests, put(marker(life, i.ID, i.Version)))
			}
			continue
		}
		i.first, i.ids = 1, ids[:min(len(ids), maxIDs)]
		requests = append(requests, put(i.head()))
	}
	if err := op.write(t.Context(), requests); err != nil {
		t.Fatal(err)
	}
	return infos
}

// TestFind finds versions by their ids with two requests.
func TestFind(t *testing.T) {
	credentials(t)
	b, proxy, _ := behind(t)
	infos := seed(t, b, "t", 105, "x")
	for n, want := range map[int]int64{104: 1, 103: 2, 10: 2, 2: 3} {
		before := proxy.Counts()
		info, err := b.(driver.Finder).Find(t.Context(), driver.FindRequest{Key: infos[n].Key, ID: infos[n].ID, Now: testNow})
		if err != nil || info.Version != int64(n+1) {
			t.Errorf("Find of version %d = %+v, %v", n+1, info, err)
		}
		if got := proxy.Counts().Sub(before).RoundTrips; got != want {
			t.Errorf("Find of version %d: %d requests, want %d", n+1, got, want)
		}
	}
	for _, id := range []string{"other", strings.Repeat("x", 5000), "a\nb"} {
		if info, err := b.(driver.Finder).Find(t.Context(), driver.FindRequest{Key: infos[0].Key, ID: id, Now: testNow}); !errors.Is(err, driver.ErrNotFound) {
			t.Errorf("Find of %.9q = %+v, %v, want ErrNotFound", id, info, err)
		}
	}
}

// versionsRead returns the numbers of the versions that a loop yields, negative
// where they are damaged.
func versionsRead(t *testing.T, b driver.Backend, req driver.VersionsRequest) []int64 {
	t.Helper()
	req.Key, req.Now = driver.Key{Namespace: "agents", Thread: req.Thread}, testNow
	var got []int64
	for cp, err := range b.(driver.VersionReader).Versions(t.Context(), req) {
		switch {
		case errors.Is(err, driver.ErrCorrupt):
			got = append(got, -cp.Version)
		case err != nil:
			t.Fatal(err)
		case string(cp.Payload) != fmt.Sprint(cp.Version):
			t.Errorf("version %d has the payload %q", cp.Version, cp.Payload)
		default:
			got = append(got, cp.Version)
		}
	}
	return got
}

// TestVersions reads pages of 100 versions with two requests each, in both
// directions.
func TestVersions(t *testing.T) {
	credentials(t)
	b, proxy, _ := behind(t)
	seed(t, b, "t", 210, "")
	key := driver.Key{Thread: "t"}
	for _, tt := range []struct {
		req         driver.VersionsRequest
		first, last int64
		requests    int64
	}{
		{driver.VersionsRequest{Key: key}, 1, 210, 6},
		{driver.VersionsRequest{Key: key, Newest: true}, 210, 1, 6},
		{driver.VersionsRequest{Key: key, From: 5, To: 104, Limit: 100}, 5, 104, 2},
		{driver.VersionsRequest{Key: key, From: 5, To: 300, Limit: 3, Newest: true}, 210, 208, 2},
		{driver.VersionsRequest{Key: key, From: 211}, 0, 0, 1},
		{driver.VersionsRequest{Key: driver.Key{Thread: "absent"}}, 0, 0, 1},
	} {
		before := proxy.Counts()
		got := versionsRead(t, b, tt.req)
		if n := proxy.Counts().Sub(before).RoundTrips; n != tt.requests {
			t.Errorf("%+v: %d requests, want %d", tt.req, n, tt.requests)
		}
		var want []int64
		switch {
		case tt.first == 0:
		case tt.first <= tt.last:
			for v := tt.first; v <= tt.last; v++ {
				want = append(want, v)
			}
		default:
			for v := tt.first; v >= tt.last; v-- {
				want = append(want, v)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v: versions %d, want %d to %d", tt.req, got, tt.first, tt.last)
		}
	}
}

// TestVersionsUnderTheLoop: what changes under a loop is left out, a later life is
// not mixed in, and a damaged version does not hide the others.
func TestVersionsUnderTheLoop(t *testing.T) {
	credentials(t)
	_, _, b := behind(t)
	op := inside(t, b)
	large := strings.Repeat("x", 300<<10)
	key := driver.Key{Namespace: "agents", Thread: "t"}
	fill := func() { seed(t, b, "t", 40, large) }
	loop := func(meanwhile func()) (got []int64) {
		for cp, err := range b.(driver.VersionReader).Versions(t.Context(), driver.VersionsRequest{Key: key, Now: testNow}) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, cp.Version); len(got) == 1 {
				meanwhile()
			}
		}
		return got
	}
	fill()
	page := driver.VersionsBytes / len(large)
	if got := loop(func() { mustSave(t, b, request("t", large, 5)) }); len(got) != page+5 || got[page-1] != int64(page) || got[page] != 37 {
		t.Errorf("trimmed meanwhile: versions %d, want 1 to %d and 37 to 41", got, page)
	}
	if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key}); err != nil {
		t.Fatal(err)
	}
	fill()
	got := loop(func() {
		if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key}); err != nil {
			t.Fatal(err)
		}
		fill()
	})
	if len(got) != page {
		t.Errorf("deleted and created again meanwhile: versions %d, want 1 to %d", got, page)
	}

	seed(t, b, "bad", 6, "")
	head := mustHead(t, op, "bad")
	bad, _ := op.get(t.Context(), versionKey(head.life, 2))
	bad["size"] = str("x")
	short, _ := op.get(t.Context(), versionKey(head.life, 3))
	short["data"] = bin(nil)
	if err := op.write(t.Context(), []types.WriteRequest{put(bad), put(short), remove(versionKey(head.life, 5))}); err != nil {
		t.Fatal(err)
	}
	for newest, want := range map[bool]string{false: "[1 -2 -3 4 -5 6]", true: "[6 -5 4 -3 -2 1]"} {
		if got := versionsRead(t, b, driver.VersionsRequest{Key: driver.Key{Thread: "bad"}, Newest: newest}); fmt.Sprint(got) != want {
			t.Errorf("damaged: versions %d, want %s", got, want)
		}
	}
}

// TestDeletePrefix removes what is under a prefix, expired threads too, and nothing
// else; it leaves no item behind.
func TestDeletePrefix(t *testing.T) {
	credentials(t)
	for _, indexed := range []bool{true, false} {
		_, _, b := behind(t)
		if !indexed {
			b = New(bare(t), Config{Table: plainTable(t)})
			t.Cleanup(func() { b.Close() })
		}
		for n := range 30 {
			mustSave(t, b, request(fmt.Sprintf("a/%d", n), "x", 1))
		}
		for range 12 {
			mustSave(t, b, request("a/history", "x", 3))
		}
		mustSave(t, b, request("a/large", strings.Repeat("x", 500<<10), 1))
		expired := request("a/expired", "x", 1)
		expired.ExpiresAt = testNow.Add(1)
		mustSave(t, b, expired)
		mustSave(t, b, request("a0", "x", 1))
		elsewhere := request("a/1", "x", 1)
		elsewhere.Namespace = "other"
		mustSave(t, b, elsewhere)
		n, err := b.(driver.PrefixDeleter).DeletePrefix(t.Context(), driver.DeletePrefixRequest{Namespace: "agents", Prefix: "a/", Now: testNow.Add(10)})
		if n != 32 || err != nil {
			t.Errorf("DeletePrefix = %d, %v, want 32", n, err)
		}
		if n := countItems(t, b); n != 2 {
			t.Errorf("%d items are left, want the 2 threads outside", n)
		}
	}
}

// TestDeletePrefixLostAnswer: a thread that was created after a deletion whose answer was
// lost is not removed by the next attempt.
func TestDeletePrefixLostAnswer(t *testing.T) {
	credentials(t)
	b, proxy, direct := behind(t)
	for _, keep := range []int{1, 3} {
		mustSave(t, direct, request("a/t", "1", keep))
		old := mustSave(t, direct, request("a/t", "2", keep))
		var created driver.Info
		attempts := 0
		proxy.DropReplyMatching(2, func(r []byte) bool {
			if !bytes.Contains(r, []byte("DynamoDB_20120810.DeleteItem")) {
				return false
			}
			if attempts++; attempts == 2 {
				created = mustSave(t, direct, request("a/t", "3", keep))
			}
			return attempts == 1
		})
		_, err := b.(driver.PrefixDeleter).DeletePrefix(t.Context(), driver.DeletePrefixRequest{Namespace: "agents", Prefix: "a/", Now: testNow})
		proxy.Heal()
		if err != nil || attempts < 2 {
			t.Fatalf("history %d: DeletePrefix = %v after %d attempts", keep, err, attempts)
		}
		if cp, err := loadThread(t.Context(), direct, "a/t"); err != nil || cp.ID != created.ID || created.Version != 1 || created.ID == old.ID {
			t.Errorf("history %d: Load = %+v, %v, want the thread that was created in between", keep, cp.Info, err)
		}
		if err := direct.Delete(t.Context(), driver.DeleteRequest{Key: created.Key, Now: testNow}); err != nil {
			t.Fatal(err)
		}
	}
}

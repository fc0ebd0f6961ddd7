package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

func TestConditions(t *testing.T) {
	t.Parallel()
	b := open(t, filepath.Join(t.TempDir(), "agents.db"))
	for range 2 {
		save(t, b, request("live", "{}"))
	}
	live, _, err := latest(t.Context(), b, "live")
	if err != nil {
		t.Fatal(err)
	}
	expired := request("expired", "{}")
	expired.ExpiresAt = now
	save(t, b, expired)
	for _, tt := range []struct {
		thread string
		match  driver.Match
		holds  bool
	}{
		{"live", driver.Match{ID: live.ID}, true},
		{"live", driver.Match{ID: "other"}, false},
		{"live", driver.Match{Version: 2}, true},
		{"live", driver.Match{Version: 1}, false},
		{"live", driver.Match{Version: 3}, false},
		{"live", driver.Match{Exists: true}, true},
		{"live", driver.Match{Absent: true}, false},
		{"expired", driver.Match{ID: expired.ID}, false},
		{"expired", driver.Match{Version: 1}, false},
		{"expired", driver.Match{Exists: true}, false},
		{"expired", driver.Match{Absent: true}, true},
		{"absent", driver.Match{Exists: true}, false},
		{"absent", driver.Match{Version: 1}, false},
		{"absent", driver.Match{Absent: true}, true},
	} {
		for _, op := range []string{"Save", "Delete"} {
			if op == "Delete" && tt.match.Absent {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s/%+v", op, tt.thread, tt.match), func(t *testing.T) {
				b := open(t, filepath.Join(t.TempDir(), "agents.db")) // with the same threads
				for _, id := range []string{"first", live.ID} {
					req := request("live", "{}")
					req.ID = id
					save(t, b, req)
				}
				save(t, b, expired)
				var err error
				if op == "Save" {
					req := request(tt.thread, "{}")
					req.Match = tt.match
					_, err = b.Save(t.Context(), req)
				} else {
					err = b.Delete(t.Context(), driver.DeleteRequest{Key: key(tt.thread), Match: tt.match, Now: now})
				}
				conflict, isConflict := errors.AsType[*driver.ConflictError](err)
				if tt.holds != (err == nil) || !tt.holds && !isConflict {
					t.Fatalf("error %v, want success %v", err, tt.holds)
				}
				if isConflict && (conflict.Current.ID != "") != (tt.thread == "live") {
					t.Errorf("the conflict is with %v", conflict.Current)
				}
				got, found, err := latest(t.Context(), b, tt.thread)
				want := tt.thread == "live" // as before
				if tt.holds {
					want = op == "Save"
				}
				if err != nil || found != want || isConflict && got.ID != conflict.Current.ID {
					t.Errorf("afterwards %v, found %v, %v; want found %v", got, found, err, want)
				}
			})
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	b := open(t, filepath.Join(t.TempDir(), "agents.db"))
	saveLog(t, b, "log", "v", 3, 0)
	expired := request("expired", "{}")
	expired.ExpiresAt = now
	save(t, b, expired)
	for _, tt := range []struct {
		thread, id string
		want       int64 // 0: ErrNotFound
	}{
		{"log", "v1", 1}, {"log", "v3", 3}, {"log", "V1", 0}, {"log", "v", 0}, {"log", "v4", 0}, {"absent", "v1", 0}, {"expired", expired.ID, 0},
	} {
		info, err := b.(driver.Finder).Find(t.Context(), driver.FindRequest{Key: key(tt.thread), ID: tt.id, Now: now})
		if info.Version != tt.want || tt.want == 0 && err != driver.ErrNotFound || tt.want > 0 && (err != nil || info.ID != tt.id) {
			t.Errorf("Find(%s, %s) = %v, %v; want version %d", tt.thread, tt.id, info, err, tt.want)
		}
	}
}

func TestDeletePrefix(t *testing.T) {
	t.Parallel()
	b := open(t, filepath.Join(t.TempDir(), "agents.db")+"?synchronous=normal")
	for i := range 200 {
		req := request(fmt.Sprintf("user%%/%d", i), "{}")
		req.Keep = 2
		if i%10 == 0 {
			req.ExpiresAt = now
		}
		save(t, b, req)
		if i%10 != 0 {
			req.ID = "again"
			save(t, b, req)
		}
	}
	stay := []string{"user%", "user%.", "user%0", "user1/1", "ÿ"}
	for _, thread := range stay {
		save(t, b, request(thread, "{}"))
	}
	other := request("user%/1", "{}")
	other.Namespace = "other"
	save(t, b, other)
	d := b.(driver.PrefixDeleter)
	for _, tt := range []struct {
		prefix string
		now    time.Time
		want   int64
	}{
		{"user%/", now, 180}, {"user%/", now, 0}, {"nobody", now, 0}, {"\xff", now, 0}, {"\xc3", now, 1},
	} {
		n, err := d.DeletePrefix(t.Context(), driver.DeletePrefixRequest{Namespace: "agents", Prefix: tt.prefix, Now: tt.now})
		if n != tt.want || err != nil {
			t.Errorf("DeletePrefix(%q) = %d, %v; want %d", tt.prefix, n, err, tt.want)
		}
	}
	var got []string
	for info, err := range b.List(t.Context(), driver.ListRequest{Namespace: "agents"}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Thread)
	}
	if !slices.Equal(got, stay[:4]) {
		t.Errorf("left are %q, want %q", got, stay[:4])
	}
	if _, err := b.Load(t.Context(), driver.LoadRequest{Key: other.Key, Now: now}); err != nil {
		t.Errorf("in the other namespace: %v", err)
	}
}

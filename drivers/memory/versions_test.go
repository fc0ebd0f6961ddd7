package memory_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

var versionsNow = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// saveVersions saves that many versions of a thread, all of which are kept.
func saveVersions(t *testing.T, b driver.Backend, key driver.Key, life string, n int) {
	t.Helper()
	for i := range n {
		payload := fmt.Sprint(life, i+1)
		if _, err := b.Save(t.Context(), driver.SaveRequest{Key: key, ID: payload, Payload: []byte(payload), Encoding: "bytes", Now: versionsNow, Keep: driver.KeepAll}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	b := memory.New()
	key := driver.Key{Namespace: "agents", Thread: "log"}
	saveVersions(t, b, key, "v", 3*driver.VersionsPage)
	all := make([]string, 3*driver.VersionsPage)
	for i := range all {
		all[i] = fmt.Sprint("v", i+1)
	}
	for _, tt := range []struct {
		name string
		req  driver.VersionsRequest
		want []string
	}{
		{"all", driver.VersionsRequest{}, all},
		{"from", driver.VersionsRequest{From: 299}, []string{"v299", "v300"}},
		{"to", driver.VersionsRequest{To: 2}, []string{"v1", "v2"}},
		{"newest", driver.VersionsRequest{From: 2, To: 4, Newest: true}, []string{"v4", "v3", "v2"}},
		{"limit over a page", driver.VersionsRequest{From: 50, Limit: 151}, all[49:200]},
		{"limit of the newest", driver.VersionsRequest{Newest: true, Limit: 1}, []string{"v300"}},
		{"above", driver.VersionsRequest{From: 301}, nil},
		{"no bound", driver.VersionsRequest{From: 300, To: 1<<63 - 1}, []string{"v300"}},
	} {
		tt.req.Key, tt.req.Now = key, versionsNow
		var got []string
		for c, err := range b.(driver.VersionReader).Versions(t.Context(), tt.req) {
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			got = append(got, string(c.Payload))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestVersionsOfOneLife deletes the thread and saves it again, at the same time
// and with as many versions, while a loop is between two pages.
func TestVersionsOfOneLife(t *testing.T) {
	t.Parallel()
	for _, newest := range []bool{false, true} {
		b := memory.New()
		key := driver.Key{Namespace: "agents", Thread: "log"}
		saveVersions(t, b, key, "first", 2*driver.VersionsPage)
		n := 0
		for c, err := range b.(driver.VersionReader).Versions(t.Context(), driver.VersionsRequest{Key: key, Newest: newest, Now: versionsNow}) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 1 {
				if err := b.Delete(t.Context(), driver.DeleteRequest{Key: key, Now: versionsNow}); err != nil {
					t.Fatal(err)
				}
				saveVersions(t, b, key, "second", 2*driver.VersionsPage)
			}
			if want := fmt.Sprint("first", c.Version); string(c.Payload) != want {
				t.Fatalf("version %d holds %s, want %s", c.Version, c.Payload, want)
			}
		}
		if n != driver.VersionsPage {
			t.Errorf("%d versions, want the page of %d that was there before", n, driver.VersionsPage)
		}
	}
}

func TestFindAndDeletePrefix(t *testing.T) {
	t.Parallel()
	b := memory.New()
	for i := range 600 {
		saveVersions(t, b, driver.Key{Namespace: "agents", Thread: fmt.Sprintf("a/%d", i)}, "v", 2)
	}
	stays := driver.Key{Namespace: "agents", Thread: "a0"}
	saveVersions(t, b, stays, "v", 2)
	expired := driver.SaveRequest{Key: driver.Key{Namespace: "agents", Thread: "a/x"}, ID: "x", Encoding: "bytes", Now: versionsNow, ExpiresAt: versionsNow, Keep: 1}
	if _, err := b.Save(t.Context(), expired); err != nil {
		t.Fatal(err)
	}
	if info, err := b.(driver.Finder).Find(t.Context(), driver.FindRequest{Key: stays, ID: "v1", Now: versionsNow}); err != nil || info.Version != 1 {
		t.Errorf("Find = version %d, %v, want version 1", info.Version, err)
	}
	if _, err := b.(driver.Finder).Find(t.Context(), driver.FindRequest{Key: stays, ID: "v3", Now: versionsNow}); err != driver.ErrNotFound {
		t.Errorf("Find of another id = %v, want %v", err, driver.ErrNotFound)
	}
	n, err := b.(driver.PrefixDeleter).DeletePrefix(t.Context(), driver.DeletePrefixRequest{Namespace: "agents", Prefix: "a/", Now: versionsNow})
	if n != 600 || err != nil {
		t.Errorf("DeletePrefix = %d, %v, want 600", n, err)
	}
	var left []string
	for info, err := range b.List(t.Context(), driver.ListRequest{Namespace: "agents"}) {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, info.Thread)
	}
	if want := []string{"a0"}; !slices.Equal(left, want) {
		t.Errorf("what is left: %q, want %q", left, want)
	}
}

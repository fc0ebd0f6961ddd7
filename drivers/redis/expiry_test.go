package redis

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
	"github.com/redis/go-redis/v9"
)

const grace = 5 * time.Minute // after expiry, as save.lua has it

// TestServerExpiry looks at when the server removes a thread by itself, for
// writers whose clocks are right, late and early.
func TestServerExpiry(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	b := openDSN(t, dsn)
	admin := clientOf(t, dsn)
	const ttl = 10 * time.Minute
	for name, c := range map[string]struct {
		clock time.Duration // of the writer, beside the server's
		want  time.Duration // from now until the server removes the thread
	}{
		"Right":     {0, ttl + grace},
		"HourEarly": {time.Hour, time.Hour + ttl + grace}, // others may go by it
		"HourLate":  {-time.Hour, ttl + grace},            // as long as the writer thinks
		"DayLate":   {-24 * time.Hour, ttl + grace},
	} {
		for size, payload := range sizes {
			key := driver.Key{Namespace: namespace(), Thread: "thread"}
			keys := b.layout.thread(key)
			var req driver.SaveRequest
			for range 2 {
				req = request(key, payload)
				req.Keep = 2
				req.Now = req.Now.Add(c.clock)
				req.ExpiresAt = req.Now.Add(ttl)
				mustSave(t, b, req)
			}
			for i, more := range []time.Duration{0, time.Second} { // the list goes first
				got, err := admin.PTTL(t.Context(), keys[i]).Result()
				if want := c.want + more; err != nil || got > want+time.Second || got < want-30*time.Second {
					t.Errorf("%s, %s: %s is removed in %v, want %v (%v)", name, size, keys[i], got, want, err)
				}
			}
			// Never again, once a save says so.
			req.ID, req.ExpiresAt = "forever", time.Time{}
			mustSave(t, b, req)
			for _, k := range keys[:2] {
				if got, err := admin.PTTL(t.Context(), k).Result(); err != nil || got != -1 {
					t.Errorf("%s, %s: %s is removed in %v, want never (%v)", name, size, k, got, err)
				}
			}
			if n, err := admin.ZCard(t.Context(), keys[3]).Result(); err != nil || n != 0 {
				t.Errorf("%s, %s: %d names in the expiry index, want none (%v)", name, size, n, err)
			}
		}
	}
}

// TestExpiredLifeLeavesNothing saves over an expired thread that is still there.
func TestExpiredLifeLeavesNothing(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	b := openDSN(t, dsn)
	admin := clientOf(t, dsn)
	for size, payload := range sizes {
		key := driver.Key{Namespace: namespace(), Thread: "thread"}
		req := request(key, payload)
		req.Keep, req.ExpiresAt = 3, req.Now.Add(time.Minute)
		for i := range 3 {
			req.ID = fmt.Sprint("old", i)
			mustSave(t, b, req)
		}
		after := request(key, payload)
		after.Keep, after.Now = 3, req.ExpiresAt
		if info := mustSave(t, b, after); info.Version != 1 || !info.CreatedAt.Equal(after.Now) {
			t.Errorf("%s: the first save after expiry is %+v, want version 1", size, info)
		}
		keys := b.layout.thread(key)
		if n, err := admin.LLen(t.Context(), keys[0]).Result(); err != nil || n != 2 {
			t.Errorf("%s: the list has %d elements, want 2 (%v)", size, n, err)
		}
		if n, err := admin.Exists(t.Context(), keys[1]).Result(); err != nil || n != 0 {
			t.Errorf("%s: the past of the former life is still there (%v)", size, err)
		}
		if ttl, err := admin.PTTL(t.Context(), keys[0]).Result(); err != nil || ttl != -1 {
			t.Errorf("%s: the new life is removed in %v, want never (%v)", size, ttl, err)
		}
		// An id of the former life is one like any other.
		again := request(key, payload)
		again.ID, again.Keep, again.Now = "old1", 3, after.Now
		if info := mustSave(t, b, again); info.Version != 2 {
			t.Errorf("%s: a save with an id of the former life is version %d, want 2", size, info.Version)
		}
	}
}

// TestNamesOfRemovedThreads removes threads as the server does when they
// expire or when it evicts them: List does not show them and takes their names
// away, Purge does, and saves of others do, when enough time has passed.
func TestNamesOfRemovedThreads(t *testing.T) {
	t.Parallel()
	dsn := testserver.Redis(t)
	b := openDSN(t, dsn)
	admin := clientOf(t, dsn)
	fill := func(ns string, expires time.Duration) shard {
		for i := range 30 {
			req := request(driver.Key{Namespace: ns, Thread: fmt.Sprintf("thread-%02d", i)}, nil)
			if expires > 0 {
				req.ExpiresAt = req.Now.Add(expires)
			}
			mustSave(t, b, req)
			if i != 7 {
				admin.Del(t.Context(), b.layout.list(ns, req.Thread))
			}
		}
		return b.layout.shard(ns, 0)
	}
	names := func(key string) int64 {
		n, err := admin.ZCard(t.Context(), key).Result()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, expires := range []time.Duration{0, time.Hour} {
		ns := namespace()
		s := fill(ns, expires)
		if got := list(t, b, driver.ListRequest{Namespace: ns, Limit: 5}); len(got) != 1 || got[0] != "thread-07" {
			t.Errorf("List = %q, want thread-07", got)
		}
		if got := names(s.index); got != 1 {
			t.Errorf("after List the index has %d names, want 1", got)
		}
		if got, want := names(s.expiry), int64(min(1, expires)); got != want {
			t.Errorf("after List the expiry index has %d names, want %d", got, want)
		}
	}

	ns := namespace()
	s := fill(ns, time.Hour)
	if n, err := b.Purge(t.Context(), ns, time.Now().Add(2*time.Hour)); n != 1 || err != nil {
		t.Errorf("Purge removed %d threads, %v, want 1: the server had removed the others", n, err)
	}
	if i, e := names(s.index), names(s.expiry); i+e != 0 {
		t.Errorf("after Purge the indexes have %d and %d names, want none", i, e)
	}

	// Names of threads that the server has removed for sure leave with later
	// saves, four at a time.
	ns = namespace()
	s = fill(ns, time.Hour)
	long := float64(time.Now().Add(-grace - time.Minute).UnixMilli())
	for i := range 30 {
		if i != 7 {
			admin.ZAdd(t.Context(), s.expiry, redis.Z{Score: long, Member: fmt.Sprintf("thread-%02d", i)})
		}
	}
	for want := int64(30); want > 2; want -= 4 {
		if got := names(s.index); got != want {
			t.Fatalf("the index has %d names, want %d", got, want)
		}
		req := request(driver.Key{Namespace: ns, Thread: "thread-07"}, nil)
		req.ExpiresAt = req.Now.Add(time.Hour)
		mustSave(t, b, req)
	}
}

// TestImportExpired imports checkpoints that expired long ago.
func TestImportExpired(t *testing.T) {
	t.Parallel()
	b := openDSN(t, testserver.Redis(t))
	for size, payload := range sizes {
		key := driver.Key{Namespace: namespace(), Thread: "thread"}
		now := time.Now().UTC().Truncate(time.Microsecond)
		for version := int64(1); version <= 3; version++ {
			then := now.AddDate(-1, 0, 0)
			cp := driver.Checkpoint{Payload: payload, Info: driver.Info{
				Key: key, ID: fmt.Sprint("id", version), Version: version, Encoding: "bytes", CreatedAt: then, SavedAt: then, ExpiresAt: then.Add(time.Hour)}}
			if err := b.Import(t.Context(), driver.ImportRequest{Checkpoint: cp, Now: now, Keep: 5}); err != nil {
				t.Errorf("%s: Import: %v", size, err)
			}
		}
		if got := list(t, b, driver.ListRequest{Namespace: key.Namespace}); len(got) > 0 {
			t.Errorf("%s: List = %q, want nothing", size, got)
		}
		if n, err := b.Purge(t.Context(), key.Namespace, now); n != 1 || err != nil {
			t.Errorf("%s: Purge = %d, %v, want 1", size, n, err)
		}
	}
}

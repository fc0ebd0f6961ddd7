package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// A workload saves to threads of its own, one goroutine each, until it is stopped,
// and remembers what was acknowledged.
type workload struct {
	t       *testing.T
	b       *backend
	stop    chan struct{}
	threads int
	wg      sync.WaitGroup
	// strict makes any error one of the test.
	strict bool

	mu    sync.Mutex
	acked map[string]int64 // thread → version of the last save that succeeded
	errs  map[string]int   // errors seen, and how often
}

func startWork(t *testing.T, b *backend, ns string, threads int, strict bool) *workload {
	l := &workload{t: t, b: b, stop: make(chan struct{}), threads: threads, acked: map[string]int64{}, errs: map[string]int{}, strict: strict}
	ctx := context.WithoutCancel(t.Context())
	for i := range threads {
		key := driver.Key{Namespace: ns, Thread: fmt.Sprintf("thread-%02d", i)}
		payload := sizes[[]string{"Small", "Large"}[i%2]]
		l.wg.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				req := request(key, payload)
				req.Keep = 3
				info, err := b.Save(ctx, req)
				l.note(key.Thread, info, err)
				if _, err := b.Load(ctx, driver.LoadRequest{Key: key, Now: time.Now()}); err != nil && !errors.Is(err, driver.ErrNotFound) {
					l.note("", driver.Info{}, err)
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	return l
}

func (l *workload) note(thread string, info driver.Info, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.acked[thread] = info.Version
	case l.strict || !errors.Is(err, driver.ErrUnavailable):
		l.t.Errorf("%s: %v", thread, err)
	default:
		l.errs[err.Error()]++
	}
}

// versions are what was acknowledged so far.
func (l *workload) versions() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.acked)
}

// awaitProgress returns when every thread was saved once more than in since.
func (l *workload) awaitProgress(since map[string]int64) {
	l.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		now := l.versions()
		ahead := 0
		for thread, v := range now {
			if v != since[thread] {
				ahead++
			}
		}
		if ahead == l.threads {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("no progress: %v, since %v; errors %v", now, since, l.errs)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (l *workload) end() {
	close(l.stop)
	l.wg.Wait()
}

// check looks at every thread: it is listed, it can be loaded, its history is
// whole, and it is at the least version given or a later one.
func (l *workload) check(ns string, least map[string]int64) {
	l.t.Helper()
	names := list(l.t, l.b, driver.ListRequest{Namespace: ns})
	if want := slices.Sorted(maps.Keys(least)); !slices.Equal(names, want) {
		l.t.Errorf("List = %q, want %q", names, want)
	}
	for thread, v := range least {
		key := driver.Key{Namespace: ns, Thread: thread}
		cp := mustLoad(l.t, l.b, key)
		if cp.Version < v {
			l.t.Errorf("%s is at version %d, and version %d was acknowledged", thread, cp.Version, v)
		}
		if len(cp.Payload) != len(sizes["Small"]) && !bytes.Equal(cp.Payload, sizes["Large"]) {
			l.t.Errorf("%s has a payload of %d bytes", thread, len(cp.Payload))
		}
		versions := history(l.t, l.b, driver.HistoryRequest{Key: key})
		for i, got := range versions {
			if want := cp.Version - int64(i); got != want || len(versions) != int(min(cp.Version, 3)) {
				l.t.Errorf("%s has the history %v", thread, versions)
				break
			}
		}
	}
}

// TestSentinelFailover kills the master under load. What was acknowledged
// before the replica was known to be up to date is still there, calls fail with
// ErrUnavailable alone, and go on with the new master.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	s := testserver.StartRedisSentinel(t)
	b := openDSN(t, s.URL)
	const ns = "failover"
	l := startWork(t, b, ns, 8, false)
	l.awaitProgress(nil)
	l.awaitProgress(l.versions())
	before := l.versions()
	old := s.MasterAddr()
	awaitReplicas(t, s.Node(old))
	s.Node(old).Kill()
	s.AwaitFailover(old)
	l.awaitProgress(l.versions())
	l.end()
	l.check(ns, before)
	t.Logf("errors in between: %v", l.errs)
}

// TestClusterFailover kills the master of some shards under load.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	c := testserver.StartRedisCluster(t)
	b := openDSN(t, c.URL)
	const ns = "failover"
	l := startWork(t, b, ns, 8, false)
	l.awaitProgress(nil)
	before := l.versions()
	for _, m := range c.Masters() {
		awaitReplicas(t, m)
	}
	slot := c.Slot(b.layout.list(ns, "thread-00"))
	master := c.MasterOf(slot)
	master.Kill()
	c.AwaitFailover(slot, master)
	l.awaitProgress(l.versions())
	l.end()
	l.check(ns, before)
	t.Logf("errors in between: %v", l.errs)
}

// awaitReplicas returns when the replica of a master has what the master had
// when it was called.
func awaitReplicas(t *testing.T, master *testserver.Process) {
	t.Helper()
	client := clientOf(t, "redis://"+master.Addr)
	offset := func(pattern string) int64 {
		info, err := client.Info(t.Context(), "replication").Result()
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(pattern).FindStringSubmatch(info)
		if found == nil {
			return -1
		}
		n, _ := strconv.ParseInt(found[1], 10, 64)
		return n
	}
	for want := offset(`master_repl_offset:(\d+)`); offset(`slave0:.*offset=(\d+)`) < want; {
		if t.Context().Err() != nil {
			t.Fatal("the replica does not follow")
		}
	}
}

// TestSlotsMove moves the slots of threads that are being saved and loaded from
// one master to another, key by key, back and forth: no call fails.
func TestSlotsMove(t *testing.T) {
	t.Parallel()
	c := testserver.StartRedisCluster(t)
	b := openDSN(t, c.URL+"&shards=4")
	const ns = "moving"
	l := startWork(t, b, ns, 8, true)
	l.awaitProgress(nil)
	for k := range b.layout.shards {
		slot := c.Slot(b.layout.shard(ns, k).index)
		from := c.MasterOf(slot)
		for _, to := range c.Masters() {
			if to.Addr != from.Addr {
				c.MoveSlot(slot, to)
				break
			}
		}
		list(t, b, driver.ListRequest{Namespace: ns})
	}
	l.awaitProgress(l.versions())
	l.end()
	l.check(ns, l.versions())
}

// TestMovingSlot looks at a slot in the middle of its move, with a thread's
// keys on both sides: what needs one key goes on, what needs several waits and
// fails with ErrUnavailable, or goes on when the move does.
func TestMovingSlot(t *testing.T) {
	t.Parallel()
	c := testserver.StartRedisCluster(t)
	b := openDSN(t, c.URL+"&shards=1")
	const ns = "moving"
	key := driver.Key{Namespace: ns, Thread: "thread"}
	for _, payload := range sizes {
		mustSave(t, b, request(key, payload))
	}
	slot := c.Slot(b.layout.list(ns, "thread"))
	from := c.MasterOf(slot)
	var to *testserver.Process
	for _, to = range c.Masters() {
		if to.Addr != from.Addr {
			break
		}
	}
	c.BeginMove(slot, to)
	mustLoad(t, b, key)
	c.MoveKeys(slot, to)
	mustLoad(t, b, key)
	for name, payload := range sizes {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := b.Save(ctx, request(key, payload))
		cancel()
		if err != nil && !errors.Is(err, driver.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s save in the middle of a move: %v", name, err)
		}
	}
	done := make(chan error)
	go func() { // waits for the end of the move
		_, err := b.Save(t.Context(), request(key, sizes["Large"]))
		done <- err
	}()
	c.EndMove(slot, to)
	if err := <-done; err != nil {
		t.Errorf("Save at the end of a move: %v", err)
	}
	if got := mustLoad(t, b, key); !bytes.Equal(got.Payload, sizes["Large"]) {
		t.Errorf("Load after the move = %d bytes", len(got.Payload))
	}
}

// TestShardsSpread counts the shards of some namespaces on each of three and
// ten masters with equal parts of the slots.
func TestShardsSpread(t *testing.T) {
	t.Parallel()
	c := testserver.RedisCluster(t)
	client := clientOf(t, c)
	l := layout{shards: defaultClusterShards}
	for _, ns := range []string{"agents", "a", "tenant-1", "x.y_z-0123456789"} {
		for _, masters := range []int{3, 10} {
			counts := make([]int, masters)
			for k := range l.shards {
				slot, err := client.ClusterKeySlot(t.Context(), l.shard(ns, k).index).Result()
				if err != nil {
					t.Fatal(err)
				}
				counts[int(slot)*masters/16384]++
			}
			t.Logf("%s: %v", ns, counts)
			if fair := l.shards / masters; slices.Max(counts) > fair*2 || slices.Min(counts) < fair/4 {
				t.Errorf("the shards of %s lie on %d masters as %v", ns, masters, counts)
			}
		}
	}
}

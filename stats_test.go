package checkpoint_test

import (
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// A pooled backend tells of its pool.
type pooled struct{ driver.Backend }

func (pooled) Pool() driver.Pool { return driver.Pool{Open: 3, InUse: 1, Max: 10} }

func TestStats(t *testing.T) {
	t.Parallel()
	store := checkpoint.New(pooled{memory.New()})
	ctx := t.Context()
	if st := store.Stats(); len(st.Operations) != 0 || len(st.Errors) != 0 || st.IncrementalBytes != 0 {
		t.Errorf("a new store has %+v", st)
	}
	var state int
	store.Save(ctx, "t", 1)
	store.Namespace("other").Save(ctx, "t", 1)
	store.Save(ctx, "t", 1, checkpoint.IfAbsent())
	store.Load(ctx, "none", &state)
	store.Load(ctx, "", &state)
	for range store.List(ctx, checkpoint.ListOptions{}) {
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	store.Stat(ended, "t")
	store.Close()
	store.Ping(ctx)
	st := store.Stats()
	if want := map[string]int64{"save": 3, "load": 2, "list": 1, "stat": 1, "ping": 1}; !maps.Equal(st.Operations, want) {
		t.Errorf("operations %v, want %v", st.Operations, want)
	}
	if want := map[string]int64{"conflict": 1, "not_found": 1, "invalid": 1, "canceled": 1, "closed": 1}; !maps.Equal(st.Errors, want) {
		t.Errorf("errors %v, want %v", st.Errors, want)
	}
	if st.Pool == nil || *st.Pool != (driver.Pool{Open: 3, InUse: 1, Max: 10}) {
		t.Errorf("the pool is %+v", st.Pool)
	}
}

// TestStatsOfMemory: what is remembered for incremental saves is told, and bounded.
func TestStatsOfMemory(t *testing.T) {
	t.Parallel()
	store, err := checkpoint.Open("memory", "?incremental=true", checkpoint.WithIncrementalMemory(20_000))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for i := range 20 {
		if _, err := store.Save(t.Context(), fmt.Sprint(i), strings.Repeat("x", 5_000)); err != nil {
			t.Fatal(err)
		}
	}
	st := store.Stats()
	if st.IncrementalBytes < 5_000 || st.IncrementalBytes > 20_000 {
		t.Errorf("%d bytes are remembered, want some states and at most 20,000", st.IncrementalBytes)
	}
	if st.Pool != nil {
		t.Errorf("the memory driver has the pool %+v", st.Pool)
	}
}

// TestStatsNames: every operation that an observer is told of is counted by its name.
func TestStatsNames(t *testing.T) {
	t.Parallel()
	r := &recording{}
	store := newStore(t, checkpoint.WithObserver(r))
	ctx := t.Context()
	var state int
	store.Ping(ctx)
	store.Save(ctx, "t", 1)
	store.Load(ctx, "t", &state)
	store.Stat(ctx, "t")
	store.Find(ctx, "t", "id")
	for range store.List(ctx, checkpoint.ListOptions{}) {
	}
	for range store.History(ctx, "t", checkpoint.HistoryOptions{}) {
	}
	for range store.Versions(ctx, "t", checkpoint.VersionsOptions{}) {
	}
	for range store.Namespaces(ctx) {
	}
	store.Restore(ctx, "t", 1)
	store.Fork(ctx, "t", 1, "f")
	store.Delete(ctx, "t")
	store.DeletePrefix(ctx, "f")
	store.Purge(ctx)
	store.Collect(ctx, checkpoint.CollectOptions{})
	got := slices.Sorted(maps.Keys(store.Stats().Operations))
	want := []string{"collect", "delete", "deleteprefix", "find", "fork", "history", "list", "load", "namespaces", "ping", "purge", "restore", "save", "stat", "versions"}
	if !slices.Equal(got, want) {
		t.Errorf("operations %v, want %v", got, want)
	}
}

func TestErrorClass(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"":                  nil,
		"canceled":          context.Canceled,
		"deadline_exceeded": fmt.Errorf("%w: %w", context.DeadlineExceeded, checkpoint.ErrUnavailable),
		"not_found":         &checkpoint.Error{Op: "load", Err: checkpoint.ErrNotFound},
		"conflict":          &checkpoint.ConflictError{},
		"closed":            checkpoint.ErrClosed,
		"invalid":           checkpoint.ErrInvalid,
		"too_large":         checkpoint.ErrTooLarge,
		"unavailable":       checkpoint.ErrUnavailable,
		"corrupt":           checkpoint.ErrCorrupt,
		"unsupported":       errors.ErrUnsupported,
		"other":             errors.New("anything"),
	} {
		if got := checkpoint.ErrorClass(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

// The numbers of a store beside those of the process, on /debug/vars.
func ExampleStore_Stats() {
	ctx := context.Background()
	store, err := checkpoint.Open("memory", "")
	if err != nil {
		panic(err)
	}
	defer store.Close()
	expvar.Publish("checkpoint", expvar.Func(func() any { return store.Stats() }))

	store.Save(ctx, "user-123", "state")
	store.Save(ctx, "user-123", "state", checkpoint.IfAbsent())

	var published checkpoint.Stats
	json.Unmarshal([]byte(expvar.Get("checkpoint").String()), &published)
	fmt.Println(published.Operations["save"], "saves,", published.Errors["conflict"], "conflict")
	// Output: 2 saves, 1 conflict
}

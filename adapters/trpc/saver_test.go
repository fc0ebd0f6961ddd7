package trpc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"trpc.group/trpc-go/trpc-agent-go/graph"
	"trpc.group/trpc-go/trpc-agent-go/graph/checkpoint/inmemory"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/adapters/trpc"
	"github.com/go-ckpt/checkpoint/internal/test/adapterstores"
)

func TestMain(m *testing.M) { adapterstores.Main(m) }

// each runs a test on every database of this run.
func each(t *testing.T, test func(t *testing.T, store *checkpoint.Store)) {
	adapterstores.Each(t, func(t *testing.T, newURL func(testing.TB) string) { test(t, adapterstores.Open(t, newURL(t))) })
}

var instant = time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)

// put puts a checkpoint, all of them with one timestamp, and returns its configuration.
func put(t *testing.T, s graph.CheckpointSaver, lineage, ns, id, parent string, extra map[string]any, writes ...graph.PendingWrite) map[string]any {
	t.Helper()
	c := graph.NewCheckpoint(map[string]any{"from": ns + "/" + id, "n": int64(1<<53 + 1)}, map[string]int64{"n": 1}, nil)
	c.ID, c.ParentCheckpointID, c.Timestamp = id, parent, instant
	config, err := s.PutFull(t.Context(), graph.PutFullRequest{
		Config: graph.CreateCheckpointConfig(lineage, "", ns), Checkpoint: c,
		Metadata: &graph.CheckpointMetadata{Source: graph.CheckpointSourceLoop, Step: 3, Extra: extra}, PendingWrites: writes,
	})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// anywhere is a configuration without a namespace.
func anywhere(lineage string) map[string]any {
	return map[string]any{graph.CfgKeyConfigurable: map[string]any{graph.CfgKeyLineageID: lineage}}
}

func name(t *graph.CheckpointTuple) string {
	if t == nil {
		return ""
	}
	return graph.GetNamespace(t.Config) + "/" + t.Checkpoint.ID
}

func wantTuple(t *testing.T, s *trpc.Saver, config map[string]any, want string) *graph.CheckpointTuple {
	t.Helper()
	got, err := s.GetTuple(t.Context(), config)
	if err != nil || name(got) != want {
		t.Errorf("GetTuple(%v) = %q, %v, want %q", config, name(got), err, want)
	}
	return got
}

// TestTuples: what was put last is the newest, whatever its timestamp; namespaces are
// apart; what is absent is nil. (With equal timestamps the in-memory saver of v1.11.2
// takes any for the newest.)
func TestTuples(t *testing.T) {
	each(t, func(t *testing.T, store *checkpoint.Store) {
		s := trpc.NewSaver(store)
		if got, err := s.Get(t.Context(), anywhere("L")); got != nil || err != nil {
			t.Errorf("Get of no lineage = %v, %v", got, err)
		}
		put(t, s, "L", "", "1", "", nil)
		put(t, s, "L", "", "2", "1", nil)
		put(t, s, "L", "sub", "3", "2", nil)
		put(t, s, "L/", "", "4", "gone", nil)
		full := wantTuple(t, s, graph.CreateCheckpointConfig("L", "", ""), "/2")
		if full.Checkpoint.ChannelValues["n"] != json.Number("9007199254740993") || full.Metadata.Step != 3 ||
			!full.Checkpoint.Timestamp.Equal(instant) || graph.GetCheckpointID(full.ParentConfig) != "1" {
			t.Errorf("the tuple: %+v", full)
		}
		wantTuple(t, s, graph.CreateCheckpointConfig("L", "", "sub"), "sub/3")
		wantTuple(t, s, graph.CreateCheckpointConfig("L", "", "none"), "")
		wantTuple(t, s, graph.CreateCheckpointConfig("L", "1", ""), "/1")
		wantTuple(t, s, graph.CreateCheckpointConfig("L", "1", "sub"), "")
		wantTuple(t, s, graph.CreateCheckpointConfig("L", "9", ""), "")
		wantTuple(t, s, anywhere("L"), "sub/3")
		child := wantTuple(t, s, graph.CreateCheckpointConfig("L", "3", ""), "sub/3") // by its id, in any namespace
		wantTuple(t, s, child.ParentConfig, "/2")
		if lost := wantTuple(t, s, anywhere("L/"), "/4"); graph.GetCheckpointID(lost.ParentConfig) != "gone" {
			t.Errorf("the parent that is gone: %v", lost.ParentConfig)
		}
		put(t, s, "L", "", "1", "", map[string]any{"again": true})
		if again := wantTuple(t, s, graph.CreateCheckpointConfig("L", "1", ""), "/1"); again.Metadata.Extra["again"] != true {
			t.Errorf("put again: %+v", again.Metadata)
		}
		for range 2 {
			if err := s.DeleteLineage(t.Context(), "L"); err != nil {
				t.Fatal(err)
			}
		}
		wantTuple(t, s, anywhere("L"), "")
		wantTuple(t, s, anywhere("L/"), "/4")
	})
}

// TestManager: what the framework builds on a saver finds checkpoints across
// namespaces and lineages. (With the in-memory saver of v1.11.2 the branch from the
// latest checkpoint of any namespace fails, unless that has no name.)
func TestManager(t *testing.T) {
	s := trpc.NewSaver(adapterstores.Open(t, "memory:"))
	m, ctx := graph.NewCheckpointManager(s), t.Context()
	put(t, s, "L", "sub", "1", "", nil)
	if branch, err := m.BranchToNewLineage(ctx, "L", "", "", "M", "new"); err != nil || name(wantTuple(t, s, anywhere("M"), "new/"+branch.Checkpoint.ID)) == "" {
		t.Errorf("BranchToNewLineage = %v, %v", branch, err)
	}
	branch, err := m.BranchFrom(ctx, "L", "sub", "1", "other")
	if err != nil {
		t.Fatal(err)
	}
	if parent, err := m.GetParent(ctx, branch.Config); err != nil || name(parent) != "sub/1" {
		t.Errorf("GetParent = %q, %v", name(parent), err)
	}
	if children, err := m.ListChildren(ctx, graph.CreateCheckpointConfig("L", "1", "sub")); err != nil || len(children) != 1 || name(children[0]) != name(branch) {
		t.Errorf("ListChildren = %v, %v", children, err)
	}
	upstream := inmemory.NewSaver()
	put(t, upstream, "L", "sub", "1", "", nil)
	if _, err := graph.NewCheckpointManager(upstream).BranchToNewLineage(ctx, "L", "", "", "M", "new"); err == nil {
		t.Error("the in-memory saver finds the checkpoint now: say so in the comment")
	}
}

// TestList: the newest first, of one namespace or all; the limit comes after the
// filters. (In v1.11.2 the SQLite saver applies it before, and finds no number.)
func TestList(t *testing.T) {
	each(t, func(t *testing.T, store *checkpoint.Store) {
		s := trpc.NewSaver(store)
		parent := ""
		for i := range 120 { // more than a page
			id, ns := fmt.Sprint(i), []string{"", "sub"}[i%2]
			put(t, s, "L", ns, id, parent, map[string]any{"odd": i%2 == 1, "n": i, "deep": map[string]any{"b": 1, "a": i % 3}})
			parent = id
		}
		put(t, s, "L", "", "0", "", map[string]any{"odd": false, "n": 0}) // put again: the newest
		list := func(ns string, f *graph.CheckpointFilter) (names []string) {
			t.Helper()
			tuples, err := s.List(t.Context(), graph.CreateCheckpointConfig("L", "", ns), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range tuples {
				names = append(names, name(x))
				if x.Checkpoint.ID != "0" && graph.GetNamespace(x.ParentConfig) == graph.GetNamespace(x.Config) {
					t.Errorf("%s has the parent %v", name(x), x.ParentConfig)
				}
			}
			return names
		}
		filter := graph.NewCheckpointFilter
		before := func(id string) map[string]any { return graph.CreateCheckpointConfig("L", id, "") }
		if all := list("", nil); len(all) != 120 || all[0] != "/0" || all[1] != "sub/119" || all[119] != "sub/1" {
			t.Errorf("all: %v", all)
		}
		if sub := list("sub", filter()); len(sub) != 60 || sub[0] != "sub/119" || sub[59] != "sub/1" {
			t.Errorf("of a namespace: %v", sub)
		}
		for _, c := range []struct {
			name, ns string
			f        *graph.CheckpointFilter
			want     []string
		}{
			{"limit", "", filter().WithLimit(3), []string{"/0", "sub/119", "/118"}},
			{"before", "", filter().WithBefore(before("5")).WithLimit(2), []string{"/4", "sub/3"}},
			{"before, of a namespace", "sub", filter().WithBefore(before("4")), []string{"sub/3", "sub/1"}},
			{"before what is not there", "", filter().WithBefore(before("x")), nil},
			{"a number", "", filter().WithMetadata("n", 7).WithLimit(1), []string{"sub/7"}},
			{"several", "sub", filter().WithMetadata("deep", struct {
				B int `json:"b"`
				A int `json:"a"`
			}{1, 2}).WithMetadata("odd", true).WithLimit(2), []string{"sub/119", "sub/113"}},
			{"no such value", "", filter().WithMetadata("n", "7"), nil},
			{"no such key", "", filter().WithMetadata("x", nil), nil},
			{"no JSON", "", filter().WithMetadata("n", func() {}), nil},
		} {
			if got := list(c.ns, c.f); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
	})
}

// TestWrites: those of a second task do not replace the first's (as they do in the
// in-memory saver of v1.11.2), those of the same task do.
func TestWrites(t *testing.T) {
	each(t, func(t *testing.T, store *checkpoint.Store) {
		s := trpc.NewSaver(store)
		w := func(task, channel string, value any) graph.PendingWrite {
			return graph.PendingWrite{TaskID: task, Channel: channel, Value: value}
		}
		config := put(t, s, "L", "ns", "1", "", nil, w("a", "x", "1"), w("a", "y", nil))
		put(t, s, "L", "ns", "2", "1", nil, w("z", "z", "9"))
		for _, r := range []graph.PutWritesRequest{
			{TaskID: "b", Writes: []graph.PendingWrite{w("", "x", "3"), w("", "y", "4")}},
			{TaskID: "c", Writes: []graph.PendingWrite{w("c", "x", "5")}},
			{TaskID: "b", Writes: []graph.PendingWrite{w("b", "x", "6")}},
		} {
			r.Config = config
			if err := s.PutWrites(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		want := "[{a x 1 0} {a y <nil> 0} {b x 6 0} {b y 4 0} {c x 5 0}]"
		if got := wantTuple(t, s, config, "ns/1"); fmt.Sprint(got.PendingWrites) != want {
			t.Errorf("GetTuple has %v, want %s", got.PendingWrites, want)
		}
		all, err := s.List(t.Context(), graph.CreateCheckpointConfig("L", "", ""), graph.NewCheckpointFilter().WithBefore(graph.CreateCheckpointConfig("L", "2", "ns")))
		if err != nil || len(all) != 1 || fmt.Sprint(all[0].PendingWrites) != want {
			t.Errorf("List has %v, %v", all, err)
		}
		config = graph.CreateCheckpointConfig("L", "3", "ns")
		if err := s.PutWrites(t.Context(), graph.PutWritesRequest{Config: config}); !errors.Is(err, checkpoint.ErrNotFound) {
			t.Errorf("writes of no checkpoint: %v", err)
		}
	})
}

func TestArguments(t *testing.T) {
	s := trpc.NewSaver(adapterstores.Open(t, "memory:"), trpc.Keep(3))
	ctx := t.Context()
	_, e1 := s.Put(ctx, graph.PutRequest{Checkpoint: graph.NewCheckpoint(nil, nil, nil)})
	_, e2 := s.Put(ctx, graph.PutRequest{Config: anywhere("L")})
	_, e3 := s.GetTuple(ctx, nil)
	_, e4 := s.List(ctx, nil, nil)
	e5 := s.PutWrites(ctx, graph.PutWritesRequest{Config: anywhere("L")})
	e6 := s.DeleteLineage(ctx, "")
	e7 := s.PutWrites(ctx, graph.PutWritesRequest{})
	if slices.Contains([]error{e1, e2, e3, e4, e5, e6, e7}, nil) {
		t.Error(e1, e2, e3, e4, e5, e6, e7)
	}
	for _, id := range []string{"1", "2", "3", "4"} {
		put(t, s, "L", "", id, "", nil)
	}
	if all, err := s.List(ctx, anywhere("L"), nil); err != nil || len(all) != 3 {
		t.Errorf("of 3 that are kept: %v, %v", all, err)
	}
	if _, err := trpc.NewSaver(adapterstores.Open(t, "memory:"), trpc.Keep(0)).GetTuple(ctx, anywhere("L")); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Errorf("Keep(0): %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wantTuple(t, s, anywhere("L"), "/4") // the store is the caller's
}

// TestLostReply: a put that is repeated because its reply was lost is one checkpoint.
func TestLostReply(t *testing.T) {
	store, faults := adapterstores.OpenFaults(t, "memory:")
	s := trpc.NewSaver(store)
	put(t, s, "L", "", "1", "", nil)
	c := graph.NewCheckpoint(map[string]any{"k": "v"}, nil, nil)
	req := graph.PutRequest{Config: anywhere("L"), Checkpoint: c}
	faults.LoseReplies(1)
	if _, err := s.Put(t.Context(), req); !errors.Is(err, checkpoint.ErrUnavailable) {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if all, err := s.List(t.Context(), anywhere("L"), nil); err != nil || len(all) != 2 || name(all[0]) != "/"+c.ID {
		t.Errorf("List = %v, %v", all, err)
	}
}

// TestCut: whatever write is the last, the lineage is read.
func TestCut(t *testing.T) {
	done := 0
	adapterstores.Cut(t, adapterstores.URLs(t)["memory"], func(store *checkpoint.Store) error {
		s := trpc.NewSaver(store)
		c := graph.NewCheckpoint(nil, nil, nil)
		c.ID, done = "1", 0
		config := graph.CreateCheckpointConfig("L", "1", "")
		for _, step := range []func() error{
			func() error {
				_, err := s.PutFull(t.Context(), graph.PutFullRequest{Config: config, Checkpoint: c, PendingWrites: []graph.PendingWrite{{TaskID: "a"}}})
				return err
			},
			func() error {
				return s.PutWrites(t.Context(), graph.PutWritesRequest{Config: config, TaskID: "b", Writes: []graph.PendingWrite{{}}})
			},
			func() error { return s.DeleteLineage(t.Context(), "L") },
		} {
			if err := step(); err != nil {
				return err
			}
			done++
		}
		return nil
	}, func(t *testing.T, left *checkpoint.Store, _ bool) {
		got, err := trpc.NewSaver(left).GetTuple(t.Context(), anywhere("L"))
		if want := []string{"", "/1", "/1", ""}[done]; err != nil || name(got) != want {
			t.Errorf("after %d steps: %q, %v, want %q", done, name(got), err, want)
		}
		if got != nil && len(got.PendingWrites) != done {
			t.Errorf("after %d steps: %d writes", done, len(got.PendingWrites))
		}
	})
}

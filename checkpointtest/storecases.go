package checkpointtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint"
)

func storeSaveAndLoad(t *trial) {
	s := t.store()
	for step := int64(1); step <= 3; step++ {
		saved := t.put(s, "thread", newAgent(step), checkpoint.Metadata(map[string]string{"step": fmt.Sprint(step)}))
		if saved.Version != step || saved.Thread != "thread" || saved.Namespace != t.namespace || saved.ID == "" {
			t.Errorf("Store.Save number %d returned %s in %q", step, show(saved), saved.Namespace)
		}
		var got agent
		loaded, err := s.Load(t.ctx, "thread", &got)
		if err != nil || !reflect.DeepEqual(got, newAgent(step)) {
			t.Errorf("Store.Load = %+v, %v, want %+v", got, err, newAgent(step))
		}
		t.same("Store.Load", loaded, saved)
		again, info, err := checkpoint.Get[agent](t.ctx, s, "thread")
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("Get = %+v, %v, want %+v", again, err, got)
		}
		t.same("Get", info, saved)
		stat, err := s.Stat(t.ctx, "thread")
		if err != nil {
			t.Errorf("Store.Stat: %v", err)
		}
		t.same("Store.Stat", stat, saved)
	}
	other := t.store()
	t.step(other, "thread", 3, 3)
	if err := other.Ping(t.ctx); err != nil {
		t.Errorf("Store.Ping: %v", err)
	}
}

func storeAbsent(t *trial) {
	s := t.store(checkpoint.WithHistory(2))
	for _, thread := range []string{"never there", "deleted"} {
		if thread == "deleted" {
			t.put(s, thread, newAgent(1))
		}
		if err := s.Delete(t.ctx, thread); err != nil {
			t.Errorf("Store.Delete(%q): %v", thread, err)
		}
		_, err := s.Load(t.ctx, thread, new(agent))
		t.is("Store.Load", err, checkpoint.ErrNotFound)
		_, err = s.LoadVersion(t.ctx, thread, 1, new(agent))
		t.is("Store.LoadVersion", err, checkpoint.ErrNotFound)
		_, err = s.Stat(t.ctx, thread)
		t.is("Store.Stat", err, checkpoint.ErrNotFound)
		_, err = s.Restore(t.ctx, thread, 1)
		t.is("Store.Restore", err, checkpoint.ErrNotFound)
		_, err = s.Fork(t.ctx, thread, 1, "new")
		t.is("Store.Fork", err, checkpoint.ErrNotFound)
		if got := t.pull("Store.History", s.History(t.ctx, thread, checkpoint.HistoryOptions{})); len(got) > 0 {
			t.Errorf("Store.History(%q) yielded %s, want nothing", thread, show(got[0]))
		}
	}
	if got := t.pull("Store.List", s.List(t.ctx, checkpoint.ListOptions{})); len(got) > 0 {
		t.Errorf("Store.List yielded %s, want nothing", show(got[0]))
	}
}

func storeConditions(t *trial) {
	s := t.store()
	conflict := func(call string, err error, want checkpoint.Info) {
		t.is(call, err, checkpoint.ErrConflict)
		if c, ok := errors.AsType[*checkpoint.ConflictError](err); ok {
			t.same(call+": ConflictError.Current", c.Current, want)
		} else {
			t.Errorf("%s: error %v, want a *checkpoint.ConflictError", call, err)
		}
	}
	_, err := s.Save(t.ctx, "thread", newAgent(1), checkpoint.IfMatch("never-there"))
	conflict("Store.Save IfMatch of an absent thread", err, checkpoint.Info{})
	first := t.put(s, "thread", newAgent(1), checkpoint.IfAbsent())
	_, err = s.Save(t.ctx, "thread", newAgent(2), checkpoint.IfAbsent())
	conflict("Store.Save IfAbsent of a thread that is there", err, first)
	second := t.put(s, "thread", newAgent(2), checkpoint.IfMatch(first.ID))
	_, err = s.Save(t.ctx, "thread", newAgent(3), checkpoint.IfMatch(first.ID))
	conflict("Store.Save IfMatch of an older id", err, second)
	t.step(s, "thread", 2, 2)
}

func storeHistory(t *trial) {
	s := t.store(checkpoint.WithHistory(3))
	for step := int64(1); step <= 5; step++ {
		t.put(s, "thread", newAgent(step))
	}
	got := versionsOf(t.pull("Store.History", s.History(t.ctx, "thread", checkpoint.HistoryOptions{})))
	if want := down(5, 3); !slices.Equal(got, want) {
		t.Errorf("Store.History yielded versions %d, want %d", got, want)
	}
	got = versionsOf(t.pull("Store.History", s.History(t.ctx, "thread", checkpoint.HistoryOptions{Before: 5, Limit: 1})))
	if want := down(4, 4); !slices.Equal(got, want) {
		t.Errorf("Store.History before 5, limit 1, yielded versions %d, want %d", got, want)
	}
	for step := int64(3); step <= 5; step++ {
		t.step(s, "thread", step, step)
	}
	_, err := s.LoadVersion(t.ctx, "thread", 2, new(agent))
	t.is("Store.LoadVersion of a version that was dropped", err, checkpoint.ErrNotFound)
}

func storeRestore(t *trial) {
	s := t.store(checkpoint.WithHistory(checkpoint.KeepAll))
	for step := int64(1); step <= 3; step++ {
		t.put(s, "thread", newAgent(step), checkpoint.Metadata(map[string]string{"own": "metadata"}))
	}
	info, err := s.Restore(t.ctx, "thread", 1)
	if err != nil || info.Version != 4 || len(info.Metadata) != 1 || info.Metadata[checkpoint.MetadataRestoredFrom] != "1" {
		t.Fatalf("Store.Restore of version 1 = %s with metadata %q, %v, want version 4 restored_from 1", show(info), info.Metadata, err)
	}
	t.step(s, "thread", 4, 1)
	t.step(s, "thread", 3, 3)
}

func storeFork(t *trial) {
	s := t.store(checkpoint.WithHistory(5))
	var source checkpoint.Info
	for step := int64(1); step <= 3; step++ {
		info := t.put(s, "thread", newAgent(step))
		if step == 2 {
			source = info
		}
	}
	info, err := s.Fork(t.ctx, "thread", 2, "fork")
	if err != nil || info.Version != 1 || info.Thread != "fork" || info.Metadata[checkpoint.MetadataForkedFrom] != source.ID {
		t.Fatalf("Store.Fork of version 2 = %s with metadata %q, %v, want version 1 of \"fork\" forked_from %s", show(info), info.Metadata, err, source.ID)
	}
	t.step(s, "fork", 1, 2)
	_, err = s.Fork(t.ctx, "thread", 3, "fork")
	t.is("Store.Fork onto a thread that is there", err, checkpoint.ErrConflict)
	t.put(s, "fork", newAgent(7))
	t.step(s, "fork", 2, 7)
	t.step(s, "thread", 3, 3)
}

func storeExpiry(t *trial) {
	s := t.store(checkpoint.WithTTL(time.Hour))
	t.put(s, "an hour", newAgent(1))
	t.put(s, "two hours", newAgent(1), checkpoint.ExpiresIn(2*time.Hour))
	t.put(s, "never", newAgent(1), checkpoint.ExpiresIn(0))
	for _, step := range []struct {
		elapsed time.Duration
		want    []string
	}{
		{time.Hour - time.Microsecond, []string{"an hour", "never", "two hours"}},
		{time.Hour, []string{"never", "two hours"}},
		{2 * time.Hour, []string{"never"}},
	} {
		t.elapsed.Store(int64(step.elapsed))
		got := namesOf(t.pull("Store.List", s.List(t.ctx, checkpoint.ListOptions{})))
		if !slices.Equal(got, step.want) {
			t.Errorf("%v later Store.List yielded %q, want %q", step.elapsed, got, step.want)
		}
		for _, thread := range []string{"an hour", "two hours", "never"} {
			_, err := s.Stat(t.ctx, thread)
			if alive := slices.Contains(step.want, thread); alive && err != nil || !alive && !errors.Is(err, checkpoint.ErrNotFound) {
				t.Errorf("%v later Store.Stat(%q): error %v, alive is %v", step.elapsed, thread, err, alive)
			}
		}
	}
	if info := t.put(s, "an hour", newAgent(2), checkpoint.IfAbsent()); info.Version != 1 {
		t.Errorf("Store.Save of an expired thread returned %s, want version 1", show(info))
	}
}

func storeList(t *trial) {
	s := t.store()
	threads := append(numbered("user", 7), "Zoe", "user%", "ü")
	for i, thread := range threads {
		t.put(s, thread, newAgent(int64(i)))
	}
	for _, opts := range []checkpoint.ListOptions{{}, {Prefix: "user"}, {Prefix: "user%"}, {After: "user-0003"}, {Prefix: "user-", After: "user-0001", Limit: 3}, {Limit: 1}} {
		want := sorted(threads, func(s string) bool { return strings.HasPrefix(s, opts.Prefix) && s > opts.After })
		if opts.Limit > 0 {
			want = want[:opts.Limit]
		}
		if got := namesOf(t.pull("Store.List", s.List(t.ctx, opts))); !slices.Equal(got, want) {
			t.Errorf("Store.List(%+v) yielded %s", opts, diffNames(got, want))
		}
	}
}

func storeUpdate(t *trial) {
	const callers, updates = 8, 6
	stores := []*checkpoint.Store{t.store(), t.store()}
	t.together(callers, func(i int) {
		for range updates {
			_, err := checkpoint.Update(t.ctx, stores[i%2], "counter", func(state *agent) error {
				state.Step++
				return nil
			})
			if err != nil {
				t.Errorf("Update: %v", err)
				return
			}
		}
	})
	got, info, err := checkpoint.Get[agent](t.ctx, stores[0], "counter")
	if want := int64(callers * updates); err != nil || got.Step != want || info.Version != want {
		t.Errorf("after %d updates the counter is %d at version %d, %v", want, got.Step, info.Version, err)
	}
	stop := errors.New("stop")
	if _, err := checkpoint.Update(t.ctx, stores[0], "counter", func(*agent) error { return stop }); err != stop {
		t.Errorf("Update whose function failed returned %v, want the function's error", err)
	}
}

func storeBlobs(t *trial) {
	blobs := t.store().Blobs()
	if got, ok, err := blobs.Get(t.ctx, "blob"); ok || err != nil {
		t.Errorf("Blobs.Get of nothing = %q, %v, %v, want false and no error", got, ok, err)
	}
	for _, want := range [][]byte{{}, []byte("\x00\xff\n"), []byte(`{"a": 1}`), randomBytes(500_000), {}} {
		if err := blobs.Set(t.ctx, "blob", want); err != nil {
			t.Fatalf("Blobs.Set of %d bytes: %v", len(want), err)
		}
		got, ok, err := blobs.Get(t.ctx, "blob")
		if !ok || err != nil || !bytes.Equal(got, want) {
			t.Errorf("Blobs.Get after Set of %d bytes = %d bytes, %v, %v", len(want), len(got), ok, err)
		}
	}
	if err := blobs.Delete(t.ctx, "blob"); err != nil {
		t.Errorf("Blobs.Delete: %v", err)
	}
	if _, ok, err := blobs.Get(t.ctx, "blob"); ok || err != nil {
		t.Errorf("Blobs.Get after Delete = %v, %v, want false and no error", ok, err)
	}
}

func storeNamespace(t *trial) {
	s := t.store()
	other := t.namespace + ".other"
	view := s.Namespace(other)
	t.put(s, "thread", newAgent(1))
	_, err := view.Load(t.ctx, "thread", new(agent))
	t.is("Load through the view", err, checkpoint.ErrNotFound)
	if info := t.put(view, "thread", newAgent(2)); info.Namespace != other || info.Version != 1 {
		t.Errorf("Save through the view returned %s in %q, want version 1 in %q", show(info), info.Namespace, other)
	}
	if err := view.Delete(t.ctx, "thread"); err != nil {
		t.Errorf("Delete through the view: %v", err)
	}
	if err := view.Close(); err != nil {
		t.Errorf("Close of the view: %v", err)
	}
	t.step(s, "thread", 1, 1)
}

func storeLarge(t *trial) {
	s := t.store()
	want := checkpoint.Bytes(randomBytes(checkpoint.DefaultMaxStateSize))
	t.put(s, "thread", want)
	got, _, err := checkpoint.Get[checkpoint.Bytes](t.ctx, s, "thread")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("Get of %d bytes = %d bytes, %v", len(want), len(got), err)
	}
	_, err = s.Save(t.ctx, "thread", append(want, 0))
	t.is("Store.Save of a byte more", err, checkpoint.ErrTooLarge)
}

func storeJSON(t *trial) {
	s := t.store()
	for _, want := range []string{
		`{"nul":"\u0000","lone":"\ud800","emoji":"\ud83d\ude00","big":9007199254740993,"digits":123456789012345678901234567890,"huge":1e400,"tiny":1e-400}`,
		`null`, `"text"`, `0`, `[]`, `{}`, `[[],{},null,true]`, strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
	} {
		t.put(s, "thread", json.RawMessage(want))
		got, _, err := checkpoint.Get[json.RawMessage](t.ctx, s, "thread")
		if want == "null" && err == nil && got == nil {
			continue // what encoding/json makes of null
		}
		if diff := diffJSON(got, []byte(want)); err != nil || diff != "" {
			t.Errorf("Get of %.80s: %v: %s", want, err, diff)
		}
	}
}

func storePurge(t *trial) {
	s := t.store()
	other := s.Namespace(t.namespace + ".other")
	for _, s := range []*checkpoint.Store{s, other} {
		t.put(s, "a", newAgent(1), checkpoint.ExpiresIn(time.Hour))
		t.put(s, "b", newAgent(1), checkpoint.ExpiresIn(time.Hour))
		t.put(s, "c", newAgent(1))
	}
	t.elapsed.Store(int64(time.Hour))
	if n, err := s.Purge(t.ctx); n != 2 || err != nil {
		t.Errorf("Store.Purge = %d, %v, want 2 and no error", n, err)
	}
	t.step(s, "c", 1, 1)
	t.elapsed.Store(0) // when the other namespace's threads are not expired
	t.step(other, "a", 1, 1)
}

func storeCopy(t *trial) {
	src := t.store(checkpoint.WithHistory(3))
	dst := t.store(checkpoint.WithHistory(3)).Namespace(t.namespace + ".copy")
	want := make(map[string][]checkpoint.Info)
	for i, thread := range []string{"a", "b", "c: 'quoted' 😀"} {
		for step := int64(1); step <= 2*int64(i+1); step++ {
			t.elapsed.Store(step * int64(time.Millisecond))
			t.put(src, thread, newAgent(step), checkpoint.ExpiresIn(time.Hour))
		}
		want[thread] = t.pull("Store.History", src.History(t.ctx, thread, checkpoint.HistoryOptions{}))
	}
	for run, threads := range []int64{3, 0} {
		stats, err := checkpoint.Copy(t.ctx, dst, src, checkpoint.CopyOptions{History: true})
		if err != nil || stats.Threads != threads || stats.Skipped != 3-threads {
			t.Fatalf("Copy number %d = %+v, %v, want %d threads copied and %d skipped", run+1, stats, err, threads, 3-threads)
		}
	}
	for thread, want := range want {
		got := t.pull("Store.History", dst.History(t.ctx, thread, checkpoint.HistoryOptions{}))
		if len(got) != len(want) {
			t.Errorf("the copy of %q has versions %d, want %d", thread, versionsOf(got), versionsOf(want))
			continue
		}
		for i := range got {
			want[i].Namespace = got[i].Namespace
			want[i].Size, want[i].Encoding = got[i].Size, got[i].Encoding // what is encrypted is encrypted anew
			t.same("History of the copy", got[i], want[i])
			t.step(dst, thread, want[i].Version, want[i].Version)
		}
	}
}

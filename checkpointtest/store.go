package checkpointtest

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"slices"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

// The cases that use a backend as applications do, through checkpoint.New.
func storeCases() []testCase {
	return []testCase{
		{name: "Store/SaveAndLoad", run: storeSaveAndLoad,
			rule: 8, text: "A state that was saved is loaded equal, with the Info that Save returned."},
		{name: "Store/Absent", run: storeAbsent,
			rule: 11, text: "What is not there is ErrNotFound, and deleting it is no error."},
		{name: "Store/Conditions", run: storeConditions,
			rule: 4, text: "IfMatch and IfAbsent let a save through or return a conflict with the current Info."},
		{name: "Store/History", run: storeHistory,
			rule: 6, text: "WithHistory keeps the newest versions, and each of them loads."},
		{name: "Store/Restore", run: storeRestore,
			rule: 6, text: "Restore saves an old version as the next one, with a note of where it came from."},
		{name: "Store/Fork", run: storeFork,
			rule: 4, text: "Fork starts a new thread with a version of another, and never over one that is there."},
		{name: "Store/Expiry", run: storeExpiry,
			rule: 5, text: "A thread is absent from its expiry on, by the clock of the store."},
		{name: "Store/List", run: storeList,
			rule: 7, text: "List yields the threads in order, by prefix and page."},
		{name: "Store/Update", run: storeUpdate,
			rule: 4, text: "Concurrent updates of one thread lose none."},
		{name: "Store/Blobs", run: storeBlobs,
			rule: 8, text: "Blobs come back byte for byte, and an empty one is not absent."},
		{name: "Store/Namespace", run: storeNamespace,
			rule: 10, text: "A view for another namespace reaches nothing of this one, and its Close does nothing."},
		{name: "Store/Large", heavy: true, run: storeLarge,
			rule: 8, text: "A state of 16 MiB, the default limit, comes back as it was."},
		{name: "Store/JSON", run: storeJSON,
			rule: 8, text: "A JSON state comes back as the same value."},
		{name: "Store/Purge", needs: "Purger", run: storePurge,
			rule: 5, text: "Purge removes the expired threads of the store's namespace."},
		{name: "Store/Copy", needs: "Importer", run: storeCopy,
			rule: 8, text: "Copy moves threads with their ids, versions and history, and does nothing the second time."},
		{name: "Store/EndedContext", run: storeEndedContext,
			rule: 11, text: "An operation whose context has ended returns the context's error and does nothing."},
		{name: "Store/Closed", run: storeClosed,
			rule: 12, text: "After Close every operation returns ErrClosed."},
	}
}

// store returns a store on a handle of its own, in the trial's namespace and by
// the trial's clock.
func (t *trial) store(opts ...checkpoint.Option) *checkpoint.Store {
	return t.storeOn(t.open(), opts...)
}

// storeOn is store on a backend.
func (t *trial) storeOn(b driver.Backend, opts ...checkpoint.Option) *checkpoint.Store {
	all := []checkpoint.Option{checkpoint.WithNamespace(t.namespace), checkpoint.WithClock(t.clock)}
	if h, ok := b.(*handle); ok {
		b = h.visible()
	}
	return checkpoint.New(b, slices.Concat(all, opts, t.suite.storeOptions)...)
}

// clock is the trial's now and what the case has added to it.
func (t *trial) clock() time.Time { return t.now.Add(time.Duration(t.elapsed.Load())) }

// An agent is a state as an application may have it.
type agent struct {
	Goal    string            `json:"goal"`
	Step    int64             `json:"step"`
	Done    []string          `json:"done"`
	Files   map[string][]byte `json:"files"`
	Score   float64           `json:"score"`
	Parent  *agent            `json:"parent"`
	Updated time.Time         `json:"updated"`
}

func newAgent(step int64) agent {
	return agent{
		Goal: "find out about größe 😀 </script>", Step: step, Done: []string{"search", ""},
		Files: map[string][]byte{"report": {0, 1, 0xff}}, Score: 0.1, Parent: &agent{Goal: "the goal above", Step: step - 1},
		Updated: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}
}

// put saves a state, or ends the case.
func (t *trial) put(s *checkpoint.Store, thread string, state any, opts ...checkpoint.SaveOption) checkpoint.Info {
	info, err := s.Save(t.ctx, thread, state, opts...)
	if err != nil {
		t.Fatalf("Store.Save(%q): error %v, want success", thread, err)
	}
	return info
}

// is checks that an error is of a kind, and an *Error.
func (t *trial) is(call string, err, want error) {
	if _, ok := errors.AsType[*checkpoint.Error](err); !ok || !errors.Is(err, want) {
		t.Errorf("%s: error %v, want a *checkpoint.Error that matches %v", call, err, want)
	}
}

// step checks which step an agent that was loaded is at.
func (t *trial) step(s *checkpoint.Store, thread string, version, want int64) {
	var got agent
	info, err := s.LoadVersion(t.ctx, thread, version, &got)
	if err != nil || info.Version != version || !reflect.DeepEqual(got, newAgent(want)) {
		t.Errorf("Store.LoadVersion(%q, %d) = %s with %+v, %v, want that version with step %d", thread, version, show(info), got, err, want)
	}
}

// pull collects what a store yields, or ends the case.
func (t *trial) pull(call string, infos iter.Seq2[checkpoint.Info, error]) []checkpoint.Info {
	var all []checkpoint.Info
	for info, err := range infos {
		if err != nil {
			t.Fatalf("%s yielded error %v after %d", call, err, len(all))
		}
		all = append(all, info)
	}
	return all
}

func storeEndedContext(t *trial) {
	s := t.store()
	t.put(s, "thread", newAgent(1))
	for _, ctx := range t.ended() {
		for name, run := range storeCalls(s, "thread") {
			t.is(name+" with a context that has ended", run(ctx), ctx.Err())
		}
	}
	t.step(s, "thread", 1, 1)
}

func storeClosed(t *trial) {
	s := t.store()
	t.put(s, "thread", newAgent(1))
	view := s.Namespace(t.namespace + ".view")
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Store.Close: %v", err)
		}
	}
	for _, s := range []*checkpoint.Store{s, view} {
		for name, run := range storeCalls(s, "thread") {
			t.is(name+" after Close", run(t.ctx), checkpoint.ErrClosed)
		}
	}
	t.step(t.store(), "thread", 1, 1)
}

// storeCalls returns operations of a store by name.
func storeCalls(s *checkpoint.Store, thread string) map[string]func(context.Context) error {
	first := func(infos iter.Seq2[driver.Info, error]) error {
		for _, err := range infos {
			return err
		}
		return nil
	}
	return map[string]func(context.Context) error{
		"Ping":   s.Ping,
		"Delete": func(ctx context.Context) error { return s.Delete(ctx, thread) },
		"Save": func(ctx context.Context) error {
			_, err := s.Save(ctx, thread, newAgent(2))
			return err
		},
		"Load": func(ctx context.Context) error {
			_, err := s.Load(ctx, thread, new(agent))
			return err
		},
		"Stat": func(ctx context.Context) error {
			_, err := s.Stat(ctx, thread)
			return err
		},
		"Restore": func(ctx context.Context) error {
			_, err := s.Restore(ctx, thread, 1)
			return err
		},
		"Update": func(ctx context.Context) error {
			_, err := checkpoint.Update(ctx, s, thread, func(*agent) error { return nil })
			return err
		},
		"List":    func(ctx context.Context) error { return first(s.List(ctx, checkpoint.ListOptions{})) },
		"History": func(ctx context.Context) error { return first(s.History(ctx, thread, checkpoint.HistoryOptions{})) },
	}
}

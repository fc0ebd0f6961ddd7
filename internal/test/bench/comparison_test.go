package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

const (
	loaded = 20 // threads that each caller loads in turn
	kept   = 5  // threads with a history of 20 that each caller saves in turn

	// allVersions is the comparison of a save that keeps every version with one that
	// keeps the latest, in place of the floor.
	allVersions = "save, all versions beside 1"
)

// comparison measures every operation of a subject beside its floor.
func comparison(t *testing.T, s *subject) section {
	t.Helper()
	save, load := s.bare.Does()
	out := section{
		title: s.name,
		text:  strings.TrimSpace(fmt.Sprintf("%s. The floor of a save is one bare %s, that of a load one bare %s. %s", s.versions, save, load, s.note)),
	}
	sizes := s.sizes
	if !*write {
		sizes = sizes[:1]
	}
	for _, size := range sizes {
		out.results = append(out.results, compareSize(t, s, size)...)
	}
	const size = 2 << 10
	after := fmt.Sprintf("load/%d/", size)
	var floor operation
	if s.page != nil {
		floor = func(ctx context.Context, _, _ int) error { return s.page(ctx, after) }
	}
	out.results = append(out.results, compare(t, pageOf100, size, 1, *length, func(ctx context.Context, _, _ int) error {
		return page100(ctx, s.backend, after)
	}, floor))
	for i := range out.results {
		out.results[i].Target = target(s.name, out.results[i])
	}
	return out
}

func compareSize(t *testing.T, s *subject, size int) (all []result) {
	t.Helper()
	// States by chance: databases notice when nothing changes.
	var states [8][]byte
	for i := range states {
		states[i] = agentstate.JSON(size, uint64(i))
	}
	state := func() []byte { return states[mathrand.IntN(len(states))] }
	one := saver{s.backend, state, 1, rand.Text}
	many := saver{s.backend, state, 20, rand.Text}
	ids := latestIDs{m: make(map[string]string)}

	saveOne := func(ctx context.Context, caller, i int) error {
		_, err := one.save(ctx, thread("save", size, caller, i), driver.Match{})
		return err
	}
	saveMany := func(ctx context.Context, caller, i int) error {
		_, err := many.save(ctx, thread("history", size, caller, i%kept), driver.Match{})
		return err
	}
	saveMatch := func(ctx context.Context, caller, i int) error {
		name := thread("match", size, caller, i)
		match := driver.Match{ID: ids.get(name)}
		match.Absent = match.ID == ""
		info, err := one.save(ctx, name, match)
		ids.set(name, info.ID)
		return err
	}
	loadOne := func(ctx context.Context, caller, i int) error {
		cp, err := load(ctx, s.backend, thread("load", size, caller, i%loaded))
		if err == nil && len(cp.Payload) < size/2 {
			return fmt.Errorf("a payload of %d bytes", len(cp.Payload))
		}
		return err
	}
	floorSave := func(ctx context.Context, caller, i int) error {
		return s.bare.Save(ctx, thread("save", size, caller, i), state())
	}
	floorLoad := func(ctx context.Context, caller, i int) error {
		payload, err := s.bare.Load(ctx, thread("load", size, caller, i%loaded))
		if err == nil && len(payload) < size/2 {
			return fmt.Errorf("a bare payload of %d bytes", len(payload))
		}
		return err
	}

	together(t, 8, func(ctx context.Context, caller int) error {
		for i := range loaded {
			name := thread("load", size, caller, i)
			if _, err := one.save(ctx, name, driver.Match{}); err != nil {
				return err
			}
			if err := s.bare.Save(ctx, name, state()); err != nil {
				return err
			}
		}
		for i := range kept * 20 { // so that every save measured drops a version
			if err := saveMany(ctx, caller, i); err != nil {
				return err
			}
		}
		return nil
	})
	for _, callers := range []int{1, 8} {
		for _, c := range []struct {
			name        string
			ours, floor operation
		}{
			{"save", saveOne, floorSave},
			{"save if match", saveMatch, floorSave},
			{"save, history 20", saveMany, floorSave},
			{againstHistory1, saveMany, saveOne},
			{"load", loadOne, floorLoad},
		} {
			if c.name != againstHistory1 || callers == 1 {
				all = append(all, compare(t, c.name, size, callers, *length, c.ours, c.floor))
			}
		}
	}
	if size > 2<<10 {
		return all
	}
	if s.groups {
		every := saver{s.backend, state, driver.KeepAll, rand.Text}
		all = append(all,
			compare(t, "save", size, 32, *length, saveOne, floorSave),
			compare(t, allVersions, size, 8, *length, func(ctx context.Context, caller, i int) error {
				_, err := every.save(ctx, thread("all", size, caller, i), driver.Match{})
				return err
			}, saveOne))
	}
	if s.narrow == nil {
		return all
	}
	one.b = s.narrow // saveOne saves there now
	for _, c := range []struct {
		name        string
		ours, floor operation
	}{
		{"save, one connection", saveOne, floorSave},
		{"load, one connection", func(ctx context.Context, caller, i int) error {
			_, err := load(ctx, s.narrow, thread("load", size, caller, i%loaded))
			return err
		}, floorLoad},
	} {
		all = append(all, compare(t, c.name, size, 8, *length, c.ours, c.floor))
	}
	return all
}

// together lets n callers work at the same time.
func together(t *testing.T, n int, work func(ctx context.Context, caller int) error) {
	t.Helper()
	var wg sync.WaitGroup
	for caller := range n {
		wg.Go(func() {
			if err := work(t.Context(), caller); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// latestIDs remembers the id that each thread was saved with last.
type latestIDs struct {
	mu sync.Mutex
	m  map[string]string
}

func (l *latestIDs) get(thread string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.m[thread]
}

func (l *latestIDs) set(thread, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.m[thread] = id
}

package checkpointtest

import (
	"errors"
	"fmt"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

// longAgent returns a state of an agent that patches are worth making for.
func longAgent(steps int) agent {
	goal := []byte("grow")
	for i := range steps {
		goal = fmt.Appendf(goal, " step %d said %d;", i, i*7919)
	}
	return agent{Goal: string(goal), Step: int64(steps)}
}

func storePatches(t *trial) {
	const first, steps, keep = 300, 80, 4
	s := t.store(checkpoint.WithIncremental(), checkpoint.WithHistory(keep))
	patched := 0
	for i := 1; i <= steps; i++ {
		info, err := s.Save(t.ctx, "thread", longAgent(first+i))
		if err != nil {
			t.Fatalf("Save %d: error %v, want success", i, err)
		}
		if info.Base != 0 {
			patched++
		}
	}
	if patched < steps/2 && has[driver.Finder](t.open().inner) {
		t.Errorf("%d of %d saves of a growing state were patches, want most", patched, steps)
	}
	for _, other := range []*checkpoint.Store{s, t.store(), t.store(checkpoint.WithIncremental())} {
		for v := steps - keep + 1; v <= steps; v++ {
			var got agent
			if _, err := other.LoadVersion(t.ctx, "thread", int64(v), &got); err != nil || difference(got, longAgent(first+v)) != "" {
				t.Errorf("LoadVersion(%d) = a state of step %d, %v, want that of step %d", v, got.Step, err, first+v)
			}
		}
		if _, err := other.LoadVersion(t.ctx, "thread", steps-keep, new(agent)); !errors.Is(err, checkpoint.ErrNotFound) {
			t.Errorf("LoadVersion(%d): %v, want ErrNotFound", steps-keep, err)
		}
	}
}

func storePatchesUpdate(t *trial) {
	const handles, updates = 3, 8
	var stores []*checkpoint.Store
	for range handles {
		stores = append(stores, t.store(checkpoint.WithIncremental()))
	}
	if _, err := stores[0].Save(t.ctx, "thread", longAgent(300)); err != nil {
		t.Fatalf("Save: error %v, want success", err)
	}
	t.together(handles, func(i int) {
		for range updates {
			if _, err := checkpoint.Update(t.ctx, stores[i], "thread", func(a *agent) error { a.Step++; return nil }); err != nil {
				t.Errorf("Update: error %v, want success", err)
			}
		}
	})
	got, info, err := checkpoint.Get[agent](t.ctx, stores[0], "thread")
	if want := int64(300 + handles*updates); err != nil || got.Step != want || info.Version != 1+handles*updates {
		t.Errorf("after %d updates: step %d, version %d, %v, want step %d", handles*updates, got.Step, info.Version, err, want)
	}
}

package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
)

// TestConditions: each condition on a thread that is absent, expired, as expected
// and other than expected.
func TestConditions(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	type thread struct {
		id      string
		version int64
	}
	prepare := map[string]func(*testing.T, *checkpoint.Store, *testClock){
		"absent": func(*testing.T, *checkpoint.Store, *testClock) {},
		"expired": func(t *testing.T, s *checkpoint.Store, clock *testClock) {
			mustSave(t, s, "t", 1, checkpoint.WithID("first"), checkpoint.ExpiresIn(time.Second))
			clock.advance(time.Minute)
		},
		"at 1": func(t *testing.T, s *checkpoint.Store, _ *testClock) {
			mustSave(t, s, "t", 1, checkpoint.WithID("first"))
		},
		"at 2": func(t *testing.T, s *checkpoint.Store, _ *testClock) {
			mustSave(t, s, "t", 1, checkpoint.WithID("first"))
			mustSave(t, s, "t", 2, checkpoint.WithID("second"))
		},
	}
	current := map[string]thread{"at 1": {"first", 1}, "at 2": {"second", 2}}
	for _, c := range []struct {
		name      string
		condition checkpoint.SaveOption
		holds     []string
	}{
		{"IfAbsent", checkpoint.IfAbsent(), []string{"absent", "expired"}},
		{"IfVersion 0", checkpoint.IfVersion(0), []string{"absent", "expired"}},
		{"IfVersion 1", checkpoint.IfVersion(1), []string{"at 1"}},
		{"IfVersion 2", checkpoint.IfVersion(2), []string{"at 2"}},
		{"IfVersion 3", checkpoint.IfVersion(3), nil},
		{"IfMatch first", checkpoint.IfMatch("first"), []string{"at 1"}},
		{"IfMatch second", checkpoint.IfMatch("second"), []string{"at 2"}},
		{"IfExists", checkpoint.IfExists(), []string{"at 1", "at 2"}},
	} {
		for state, set := range prepare {
			t.Run(c.name+" "+state, func(t *testing.T) {
				t.Parallel()
				clock := newClock()
				s := newStore(t, checkpoint.WithClock(clock.Now))
				set(t, s, clock)
				holds := false
				for _, h := range c.holds {
					holds = holds || h == state
				}
				check := func(what string, err error, want error) {
					t.Helper()
					if !errors.Is(err, want) || want == nil && err != nil {
						t.Errorf("%s = %v, want %v", what, err, want)
						return
					}
					if conflict := (*checkpoint.ConflictError)(nil); errors.As(err, &conflict) {
						if got := (thread{conflict.Current.ID, conflict.Current.Version}); got != current[state] {
							t.Errorf("%s met %v, want %v", what, got, current[state])
						}
					}
				}
				if d, ok := c.condition.(checkpoint.DeleteOption); ok && c.name != "IfAbsent" && c.name != "IfVersion 0" {
					if !holds {
						want := checkpoint.ErrConflict
						if c.name == "IfExists" {
							want = checkpoint.ErrNotFound
						}
						check("Delete", s.Delete(ctx, "t", d), want)
					} else {
						copied := s.Namespace("copy")
						set(t, copied, clock)
						check("Delete", copied.Delete(ctx, "t", d), nil)
						if _, err := copied.Stat(ctx, "t"); !errors.Is(err, checkpoint.ErrNotFound) {
							t.Errorf("Stat after the deletion = %v", err)
						}
					}
				}
				info, err := s.Save(ctx, "t", 3, c.condition)
				if !holds {
					check("Save", err, checkpoint.ErrConflict)
				} else if check("Save", err, nil); info.Version != current[state].version+1 {
					t.Errorf("Save made version %d, want %d", info.Version, current[state].version+1)
				}
			})
		}
	}
}

func mustSave(t *testing.T, s *checkpoint.Store, thread string, state any, opts ...checkpoint.SaveOption) checkpoint.Info {
	t.Helper()
	info, err := s.Save(t.Context(), thread, state, opts...)
	if err != nil {
		t.Fatalf("Save(%q): %v", thread, err)
	}
	return info
}

// TestWithID: a save with the id of a kept version changes nothing, whatever it
// carries; once the version is dropped or the thread deleted it is a save like any
// other.
func TestWithID(t *testing.T) {
	t.Parallel()
	s := newStore(t, checkpoint.WithHistory(2))
	first := mustSave(t, s, "t", "one", checkpoint.WithID("A-Z.az_09~"))
	if first.ID != "A-Z.az_09~" {
		t.Errorf("the id is %q", first.ID)
	}
	mustSave(t, s, "t", "two", checkpoint.WithID("a-z.az_09~")) // another one: compared byte by byte
	again := mustSave(t, s, "t", "other", checkpoint.WithID(first.ID), checkpoint.IfVersion(77), checkpoint.ExpiresIn(time.Hour))
	if fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("the repeated save returned\n%v, want\n%v", again, first)
	}
	if info, err := s.Find(t.Context(), "t", first.ID); err != nil || fmt.Sprint(info) != fmt.Sprint(first) {
		t.Errorf("Find = %v, %v", info, err)
	}
	mustSave(t, s, "t", "three")
	if _, err := s.Find(t.Context(), "t", first.ID); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("Find of a dropped version = %v, want ErrNotFound", err)
	}
	if info := mustSave(t, s, "t", "four", checkpoint.WithID(first.ID)); info.Version != 4 {
		t.Errorf("the id of a dropped version made version %d, want 4", info.Version)
	}
}

// TestUpdateSkip: ErrSkip saves nothing and returns the thread as it is.
func TestUpdateSkip(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	skip := func(*int) error { return fmt.Errorf("nothing new: %w", checkpoint.ErrSkip) }
	info, err := checkpoint.Update(t.Context(), s, "t", skip)
	if err != nil || info.Version != 0 || info.ID != "" {
		t.Errorf("of an absent thread: %v, %v; want the zero Info", info, err)
	}
	saved := mustSave(t, s, "t", 1)
	info, err = checkpoint.Update(t.Context(), s, "t", skip)
	if err != nil || fmt.Sprint(info) != fmt.Sprint(saved) {
		t.Errorf("of a thread: %v, %v; want %v", info, err, saved)
	}
}

// TestUpdateWithID: the same Update again changes nothing.
func TestUpdateWithID(t *testing.T) {
	t.Parallel()
	s := newStore(t, checkpoint.WithHistory(checkpoint.KeepAll))
	for range 3 {
		info, err := checkpoint.Update(t.Context(), s, "t", func(n *int) error { *n++; return nil }, checkpoint.WithID("event-1"))
		if err != nil || info.Version != 1 {
			t.Errorf("Update = %v, %v", info, err)
		}
	}
	if n, _, err := checkpoint.Get[int](t.Context(), s, "t"); n != 1 || err != nil {
		t.Errorf("the state is %d, %v, want 1", n, err)
	}
}

// TestDeletePrefix on a driver with the optional interface, and on one without.
func TestDeletePrefix(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*checkpoint.Store{"Memory": newStore(t), "WithoutInterface": checkpoint.New(newFake())} {
		for _, thread := range []string{"a", "a%", "a%1", "a%\u00e9", "a*", "b", "A%"} {
			mustSave(t, s, thread, 1)
		}
		mustSave(t, s.Namespace("other"), "a%", 1)
		if n, err := s.DeletePrefix(t.Context(), "a%"); n != 3 || err != nil {
			t.Errorf("%s: DeletePrefix = %d, %v, want 3", name, n, err)
		}
		var left []string
		for info, err := range s.List(t.Context(), checkpoint.ListOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			left = append(left, info.Thread)
		}
		if fmt.Sprint(left) != "[A% a a* b]" {
			t.Errorf("%s: left %v", name, left)
		}
		if _, err := s.Namespace("other").Stat(t.Context(), "a%"); err != nil {
			t.Errorf("%s: the other namespace: %v", name, err)
		}
	}
}

// TestNamespaces lists all of them whatever view it is called on.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	mustSave(t, s.Namespace("b"), "t", 1)
	mustSave(t, s.Namespace("a"), "t", 1)
	var got []string
	for ns, err := range s.Namespace("c").Namespaces(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ns)
	}
	if fmt.Sprint(got) != "[a b]" {
		t.Errorf("Namespaces = %v", got)
	}
	if err := lastError(checkpoint.New(newFake()).Namespaces(t.Context())); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without the optional interface: %v", err)
	}
}

// TestBlobsTake: of many takers one gets the blob.
func TestBlobsTake(t *testing.T) {
	t.Parallel()
	blobs := newStore(t).Blobs()
	if _, ok, err := blobs.Take(t.Context(), "id"); ok || err != nil {
		t.Errorf("Take of nothing = %v, %v", ok, err)
	}
	if err := blobs.Set(t.Context(), "id", []byte("graph")); err != nil {
		t.Fatal(err)
	}
	results := make(chan error, 20)
	for range 20 {
		go func() {
			blob, ok, err := blobs.Take(context.Background(), "id")
			switch {
			case err == nil && ok && string(blob) == "graph":
				err = errTaken
			case err == nil && (ok || blob != nil):
				err = fmt.Errorf("took %q, %v", blob, ok)
			}
			results <- err
		}()
	}
	taken := 0
	for range 20 {
		switch err := <-results; {
		case errors.Is(err, errTaken):
			taken++
		case err != nil:
			t.Error(err)
		}
	}
	if taken != 1 {
		t.Errorf("%d took it, want 1", taken)
	}
}

var errTaken = errors.New("taken")

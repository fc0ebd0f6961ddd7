package genkit_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/firebase/genkit/go/ai/exp"

	"github.com/go-ckpt/checkpoint"
	sessions "github.com/go-ckpt/checkpoint/adapters/genkit"
	"github.com/go-ckpt/checkpoint/internal/test/adapterstores"
)

// entries returns how many snapshots a session's thread names.
func entries(t *testing.T, raw *checkpoint.Store, session string) map[string]int {
	t.Helper()
	all := map[string]int{}
	for v, err := range raw.Versions(t.Context(), "session/"+session, checkpoint.VersionsOptions{}) {
		var e struct{ Snapshot string }
		if err == nil {
			err = v.Decode(&e)
		}
		if err != nil {
			t.Fatal(err)
		}
		all[e.Snapshot]++
	}
	return all
}

// TestLostReply: a snapshot whose save lost its reply is there once, also where the
// caller has to repeat it.
func TestLostReply(t *testing.T) {
	raw, faults := adapterstores.OpenFaults(t, "memory:")
	s := sessions.NewSessions[custom](raw)
	for i, lost := range []int{1, 3, 4, 5} {
		faults.LoseReplies(lost)
		id := fmt.Sprint(i)
		calls := 0
		write := func(existing *snapshot) (*snapshot, error) {
			if calls++; existing != nil && calls == 1 {
				t.Errorf("%s is there before it is saved", id)
			}
			return row("S", i, exp.SnapshotStatusCompleted), nil
		}
		_, err := s.SaveSnapshot(t.Context(), id, write)
		if err != nil {
			if !errors.Is(err, checkpoint.ErrUnavailable) {
				t.Fatal(err)
			}
			faults.LoseReplies(0)
			if _, err := s.SaveSnapshot(t.Context(), id, write); err != nil {
				t.Fatal(err)
			}
		}
		wantLatest(t, s, "S", id)
	}
	if got := entries(t, raw, "S"); fmt.Sprint(got) != "map[0:1 1:1 2:1 3:1]" {
		t.Errorf("the session has %v", got)
	}
}

// TestCut: whatever write is the last, the session loads, with the snapshot before or
// the new one, and a repetition completes it.
func TestCut(t *testing.T) {
	adapterstores.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		turn := func(s *sessions.Sessions[custom], id string, second int) error {
			_, err := s.SaveSnapshot(t.Context(), id, func(*snapshot) (*snapshot, error) { return row("S", second, ""), nil })
			return err
		}
		adapterstores.Cut(t, newURL, func(raw *checkpoint.Store) error {
			s := sessions.NewSessions[custom](raw)
			return errors.Join(turn(s, "a", 1), turn(s, "b", 2))
		}, func(t *testing.T, left *checkpoint.Store, done bool) {
			s := sessions.NewSessions[custom](left)
			latest, err := s.GetLatestSnapshot(t.Context(), "S")
			if err != nil {
				t.Fatal(err)
			}
			if done && (latest == nil || latest.SnapshotID != "b") {
				t.Errorf("the latest: %+v", latest)
			}
			if err := errors.Join(turn(s, "a", 1), turn(s, "b", 2)); err != nil {
				t.Fatal(err)
			}
			wantLatest(t, s, "S", "b")
			if got := entries(t, left, "S"); fmt.Sprint(got) != "map[a:1 b:1]" {
				t.Errorf("the session has %v", got)
			}
		})
	})
}

// TestProcesses: two processes write snapshots of one session and count in one of
// them; nothing is lost or doubled.
func TestProcesses(t *testing.T) {
	const processes, turns = 2, 15
	if url, number, ok := adapterstores.Child(); ok {
		s := sessions.NewSessions[custom](adapterstores.Open(t, url))
		for i := range turns {
			save(t, s, fmt.Sprint(number, ".", i), row("S", 1+i, ""))
			change(t, s, "shared", func(x *snapshot) { x.State.Custom.Counter++ })
		}
		return
	}
	adapterstores.EachShared(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		raw := adapterstores.Open(t, url)
		s := sessions.NewSessions[custom](raw)
		first := row("S", 0, "")
		first.State.Custom.Counter = 0
		save(t, s, "shared", first)
		adapterstores.Processes(t, url, processes)
		if got, err := s.GetSnapshot(t.Context(), "shared"); err != nil || got.State.Custom.Counter != processes*turns {
			t.Errorf("counted %+v, %v", got, err)
		}
		got := entries(t, raw, "S")
		for id, n := range got {
			if n != 1 {
				t.Errorf("%s is in the session %d times", id, n)
			}
		}
		if len(got) != 1+processes*turns {
			t.Errorf("%d snapshots", len(got))
		}
		wantLatest(t, s, "S", fmt.Sprint("1.", turns-1))
	})
}

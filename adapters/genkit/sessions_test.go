package genkit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebase/genkit/go/ai/exp"
	"github.com/firebase/genkit/go/core/status"

	"github.com/go-ckpt/checkpoint"
	sessions "github.com/go-ckpt/checkpoint/adapters/genkit"
	"github.com/go-ckpt/checkpoint/internal/test/adapterstores"
)

func TestMain(m *testing.M) { adapterstores.Main(m) }

type custom struct {
	Counter int64 `json:"counter"`
}

type (
	snapshot = exp.SessionSnapshot[custom]
	store    = sessions.Sessions[custom]
)

// each runs a test on every database of this run, with two handles on one store.
func each(t *testing.T, test func(t *testing.T, s, other *store)) {
	adapterstores.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		test(t, sessions.NewSessions[custom](adapterstores.Open(t, url)), sessions.NewSessions[custom](adapterstores.Open(t, url)))
	})
}

var start = time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)

// row is a new snapshot that was created some seconds after the start.
func row(session string, second int, st exp.SnapshotStatus) *snapshot {
	at := start.Add(time.Duration(second) * time.Second)
	return &snapshot{SessionID: session, Status: st, CreatedAt: at, UpdatedAt: at,
		State: &exp.SessionState[custom]{Custom: custom{1<<53 + 1}}}
}

func save(t *testing.T, s *store, id string, next *snapshot) *snapshot {
	t.Helper()
	got, err := s.SaveSnapshot(t.Context(), id, func(*snapshot) (*snapshot, error) { return next, nil })
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// change rewrites a snapshot that is there.
func change(t *testing.T, s *store, id string, f func(*snapshot)) *snapshot {
	t.Helper()
	got, err := s.SaveSnapshot(t.Context(), id, func(existing *snapshot) (*snapshot, error) {
		if existing == nil {
			return nil, errors.New("not there")
		}
		next := *existing
		f(&next)
		return &next, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantLatest(t *testing.T, s *store, session, want string) {
	t.Helper()
	got, err := s.GetLatestSnapshot(t.Context(), session)
	meta, metaErr := s.GetLatestSnapshotMetadata(t.Context(), session)
	if err != nil || metaErr != nil {
		t.Fatal(err, metaErr)
	}
	for _, x := range []*snapshot{got, meta} {
		if want == "" && x != nil || want != "" && (x == nil || x.SnapshotID != want) {
			t.Errorf("the latest of %s is %+v, want %q", session, x, want)
		}
	}
}

// TestSnapshots: what is saved comes back on another handle, and who owns which field.
func TestSnapshots(t *testing.T) {
	each(t, func(t *testing.T, s, other *store) {
		if got, err := s.GetSnapshot(t.Context(), "none"); got != nil || err != nil {
			t.Errorf("GetSnapshot of none = %v, %v", got, err)
		}
		if got, err := s.GetSnapshotMetadata(t.Context(), "none"); got != nil || err != nil {
			t.Errorf("GetSnapshotMetadata of none = %v, %v", got, err)
		}
		saved := save(t, s, "a/1", row("S", 0, ""))
		if saved.SnapshotID != "a/1" || saved.Status != exp.SnapshotStatusCompleted || !saved.CreatedAt.Equal(start) {
			t.Errorf("saved %+v", saved)
		}
		saved.State.Custom.Counter = 0
		if got, err := other.GetSnapshot(t.Context(), "a/1"); err != nil || got.State.Custom.Counter != 1<<53+1 || got.SessionID != "S" || !got.UpdatedAt.Equal(start) {
			t.Errorf("GetSnapshot = %+v, %v", got, err)
		}
		if a, b := save(t, s, "", row("S", 1, "")), save(t, s, "", row("S", 1, "")); a.SnapshotID == "" || a.SnapshotID == b.SnapshotID {
			t.Errorf("made the ids %q and %q", a.SnapshotID, b.SnapshotID)
		}
		for _, session := range []string{"", "other"} { // a snapshot's session never changes
			if got := change(t, other, "a/1", func(x *snapshot) { x.SessionID = session }); got.SessionID != "S" {
				t.Errorf("the session is now %q", got.SessionID)
			}
		}
		if got := save(t, s, "a/1", nil); got != nil {
			t.Errorf("a function that writes nothing: %+v", got)
		}
		failed := errors.New("failed")
		if _, err := s.SaveSnapshot(t.Context(), "a/1", func(*snapshot) (*snapshot, error) { return nil, failed }); !errors.Is(err, failed) {
			t.Errorf("a function that fails: %v", err)
		}
		if _, err := s.SaveSnapshot(t.Context(), "b", func(*snapshot) (*snapshot, error) { return row("", 0, ""), nil }); !errors.Is(err, exp.ErrSessionIDRequired) {
			t.Errorf("a snapshot without a session: %v", err)
		}
		if _, err := s.GetLatestSnapshot(t.Context(), ""); !errors.Is(err, exp.ErrSessionIDRequired) {
			t.Errorf("the latest of no session: %v", err)
		}
	})
}

// TestLatest: the one that was created last, whatever its status and whatever was
// written last; of one instant the one with the greatest id.
func TestLatest(t *testing.T) {
	each(t, func(t *testing.T, s, other *store) {
		wantLatest(t, s, "S", "")
		save(t, s, "z", row("S", 1, exp.SnapshotStatusPending))
		save(t, s, "m", row("S", 3, exp.SnapshotStatusFailed))
		save(t, s, "old", row("S", 2, exp.SnapshotStatusCompleted))
		save(t, s, "x", row("S2", 9, exp.SnapshotStatusCompleted))
		wantLatest(t, other, "S", "m")
		change(t, other, "z", func(x *snapshot) { x.Status, x.UpdatedAt = exp.SnapshotStatusCompleted, start.Add(time.Hour) })
		beat := start.Add(time.Minute)
		if got := change(t, other, "old", func(x *snapshot) { x.HeartbeatAt = &beat }); !got.UpdatedAt.Equal(start.Add(2 * time.Second)) {
			t.Errorf("a heartbeat changed UpdatedAt to %v", got.UpdatedAt)
		}
		wantLatest(t, s, "S", "m")
		save(t, s, "l", row("S", 3, exp.SnapshotStatusAborted))
		wantLatest(t, s, "S", "m")
		save(t, s, "n", row("S", 3, exp.SnapshotStatusPending))
		wantLatest(t, s, "S", "n")

		if err := s.DeleteSession(t.Context(), "S"); err != nil {
			t.Fatal(err)
		}
		wantLatest(t, other, "S", "")
		wantLatest(t, other, "S2", "x")
		for _, id := range []string{"z", "m", "old", "l", "n"} {
			if got, err := other.GetSnapshot(t.Context(), id); got != nil || err != nil {
				t.Errorf("%s of a deleted session: %v, %v", id, got, err)
			}
		}
	})
}

// TestMetadata: everything but the state, also where it is not in the metadata.
func TestMetadata(t *testing.T) {
	each(t, func(t *testing.T, s, other *store) {
		beat := start.Add(-time.Second)
		for id, f := range map[string]func(*snapshot){
			"plain":  func(*snapshot) {},
			"failed": func(x *snapshot) { x.Error = &status.Error{Status: status.Internal, Message: "secret"} },
			"long":   func(x *snapshot) { x.ParentID = strings.Repeat("p", 5000) },
		} {
			next := row("S", 0, exp.SnapshotStatusFailed)
			next.FinishReason, next.ParentID, next.HeartbeatAt = exp.AgentFinishReasonFailed, "p", &beat
			f(next)
			save(t, s, id, next)
			full, err := other.GetSnapshot(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			full.State = nil
			meta, err := other.GetSnapshotMetadata(t.Context(), id)
			if err != nil || describe(meta) != describe(full) {
				t.Errorf("%s: %s, %v, want %s", id, describe(meta), err, describe(full))
			}
		}
	})
	raw := adapterstores.Open(t, "memory:")
	s := sessions.NewSessions[custom](raw)
	next := row("S", 0, exp.SnapshotStatusFailed)
	next.Error = &status.Error{Status: status.Internal, Message: "secret"}
	save(t, s, "a", next)
	if info, err := raw.Stat(t.Context(), "snapshot/a"); err != nil || strings.Contains(fmt.Sprint(info.Metadata), "secret") {
		t.Errorf("the metadata shows the error: %v, %v", info.Metadata, err)
	}
}

func describe(x *snapshot) string {
	if x == nil {
		return "nil"
	}
	return fmt.Sprint(x.SnapshotID, x.SessionID, x.ParentID, x.Status, x.FinishReason, x.State, x.CreatedAt.UTC(), x.UpdatedAt.UTC(), x.HeartbeatAt.UTC(), x.Error)
}

// TestWriters: of writers that change one snapshot at the same time none overwrites
// another.
func TestWriters(t *testing.T) {
	each(t, func(t *testing.T, s, other *store) {
		save(t, s, "a", row("S", 0, ""))
		change(t, s, "a", func(x *snapshot) { x.State.Custom.Counter = 0 })
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				for range 5 {
					_, err := []*store{s, other}[i%2].SaveSnapshot(t.Context(), "a", func(x *snapshot) (*snapshot, error) {
						x.State.Custom.Counter++
						return x, nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if got, err := s.GetSnapshot(t.Context(), "a"); err != nil || got.State.Custom.Counter != 30 {
			t.Errorf("after 30 changes: %+v, %v", got.State, err)
		}
	})
}

// TestStatusChanges: the status at the subscription and the newest one after it, also
// of a writer elsewhere, and the end of it.
func TestStatusChanges(t *testing.T) {
	each(t, func(t *testing.T, s, other *store) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, open := <-s.OnSnapshotStatusChange(ctx, "none"); open {
			t.Error("a status of no snapshot")
		}
		save(t, s, "a", row("S", 0, exp.SnapshotStatusPending))
		changes := s.OnSnapshotStatusChange(ctx, "a")
		if st := <-changes; st != exp.SnapshotStatusPending {
			t.Errorf("at first %q", st)
		}
		save(t, s, "a", row("S", 0, exp.SnapshotStatusPending))
		change(t, other, "a", func(x *snapshot) { x.Status = exp.SnapshotStatusAborting })
		if st := <-changes; st != exp.SnapshotStatusAborting {
			t.Errorf("then %q", st)
		}
		change(t, other, "a", func(x *snapshot) { x.Status = exp.SnapshotStatusAborted })
		if st := <-changes; st != exp.SnapshotStatusAborted {
			t.Errorf("at last %q", st)
		}
		cancel()
		if _, open := <-changes; open {
			t.Error("a status after the end of the context")
		}
	})
}

// TestPolling: a reader that is slow gets the newest status, a database that is gone
// for a while ends nothing, and the questions become fewer.
func TestPolling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		questions := 0
		raw, faults := adapterstores.OpenFaults(t, "memory:", checkpoint.WithTTL(time.Hour), checkpoint.WithObserver(counter{&questions}))
		s := sessions.NewSessions[custom](raw)
		save(t, s, "a", row("S", 0, exp.SnapshotStatusPending))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		changes := s.OnSnapshotStatusChange(ctx, "a")
		questions = 0
		time.Sleep(time.Minute)
		if questions < 25 || questions > 40 {
			t.Errorf("asked %d times in a minute", questions)
		}
		faults.CutAfter(0)
		time.Sleep(time.Minute)
		faults.CutAfter(-1)
		change(t, s, "a", func(x *snapshot) { x.Status = exp.SnapshotStatusCompleted })
		time.Sleep(3 * time.Second)
		if st := <-changes; st != exp.SnapshotStatusCompleted {
			t.Errorf("a slow reader gets %q", st)
		}
		time.Sleep(time.Hour)
		if _, open := <-changes; open {
			t.Error("a status of an expired snapshot")
		}
	})
}

type counter struct{ stats *int }

func (c counter) Start(ctx context.Context, op checkpoint.Operation) (context.Context, func(checkpoint.Result)) {
	if op.Name == "stat" {
		*c.stats++
	}
	return ctx, func(checkpoint.Result) {}
}

// TestExpiry: a session lives as long as its latest snapshot.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sessions.NewSessions[custom](adapterstores.Open(t, "memory:", checkpoint.WithTTL(time.Hour)))
		save(t, s, "a", row("S", 0, exp.SnapshotStatusPending))
		for range 3 {
			time.Sleep(50 * time.Minute)
			change(t, s, "a", func(x *snapshot) { x.Status = exp.SnapshotStatusCompleted })
		}
		wantLatest(t, s, "S", "a")
		time.Sleep(time.Hour)
		wantLatest(t, s, "S", "")
	})
}

package adk_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/adk/v2/session"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/adapters/adk"
	"github.com/go-ckpt/checkpoint/internal/test/adapterstores"
)

// TestWriters: eight processes' worth of handles append to one session with merging;
// no event is lost or doubled.
func TestWriters(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		create(t, adk.NewSessions(adapterstores.Open(t, url)), "s")
		var all sync.WaitGroup
		for w := range 8 {
			s := adk.NewSessions(adapterstores.Open(t, url), adk.MergeStale())
			sess := get(t, s, "s", 0)
			all.Go(func() {
				for i := range 10 {
					if err := s.AppendEvent(t.Context(), sess, event(fmt.Sprintf("%d.%d", w, i), time.Now(), nil)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		got := ids(get(t, adk.NewSessions(adapterstores.Open(t, url)), "s", 0))
		slices.Sort(got)
		if len(got) != 80 || len(slices.Compact(got)) != 80 {
			t.Errorf("%d events, want 80 different ones", len(got))
		}
	})
}

// TestProcesses: two processes append to one session, one event after the other of its
// own; the one that is refused gets the session again. No event is lost or doubled.
func TestProcesses(t *testing.T) {
	const processes, events = 2, 20
	if url, number, ok := adapterstores.Child(); ok {
		s := adk.NewSessions(adapterstores.Open(t, url))
		sess := get(t, s, "s", 0)
		for i := range events {
			e := event(fmt.Sprint(number, ".", i), time.Now(), map[string]any{"app:n": float64(i), fmt.Sprint("k", number): float64(i)})
			for {
				err := s.AppendEvent(t.Context(), sess, e)
				if err == nil {
					break
				}
				if !errors.Is(err, adk.ErrStale) {
					t.Fatal(err)
				}
				sess = get(t, s, "s", 0)
			}
		}
		return
	}
	adapterstores.EachShared(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		s := adk.NewSessions(adapterstores.Open(t, url))
		create(t, s, "s")
		adapterstores.Processes(t, url, processes)
		sess := get(t, s, "s", 0)
		all := ids(sess)
		if len(all) != processes*events {
			t.Errorf("%d events", len(all))
		}
		for number := range processes {
			own := slices.DeleteFunc(slices.Clone(all), func(id string) bool { return !strings.HasPrefix(id, fmt.Sprint(number, ".")) })
			for i, id := range own {
				if id != fmt.Sprint(number, ".", i) {
					t.Errorf("%s is event %d of process %d", id, i, number)
				}
			}
			if n, err := sess.State().Get(fmt.Sprint("k", number)); n != float64(events-1) {
				t.Errorf("the state of process %d: %v, %v", number, n, err)
			}
		}
	})
}

// TestCut: whatever write is the last, the session loads, and repeating the append of
// the last event completes it.
func TestCut(t *testing.T) {
	adapterstores.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		at := time.Now()
		events := []*session.Event{
			event("a", at, map[string]any{"n": 1.0, "user:n": 1.0, "app:n": 1.0}),
			event("b", at, map[string]any{"n": 2.0, "user:n": 2.0}),
		}
		done := -1 // -1: not created
		adapterstores.Cut(t, newURL, func(store *checkpoint.Store) error {
			done = -1
			s := adk.NewSessions(store)
			resp, err := s.Create(t.Context(), &session.CreateRequest{AppName: "app", UserID: "user", SessionID: "s"})
			if err != nil {
				return err
			}
			for done = 0; done < len(events); done++ {
				if err := s.AppendEvent(t.Context(), resp.Session, events[done]); err != nil {
					return err
				}
			}
			return nil
		}, func(t *testing.T, left *checkpoint.Store, _ bool) {
			s := adk.NewSessions(left)
			resp, err := s.Get(t.Context(), &session.GetRequest{AppName: "app", UserID: "user", SessionID: "s"})
			if done < 0 && errors.Is(err, checkpoint.ErrNotFound) {
				return
			}
			done = max(0, done) // created, while Create could not tell
			if err != nil {
				t.Fatal(err)
			}
			sess := resp.Session
			if n := sess.Events().Len(); n != done && n != done+1 {
				t.Errorf("%d events after %d appends", n, done)
			}
			if done == len(events) {
				return
			}
			if err := s.AppendEvent(t.Context(), sess, events[done]); err != nil {
				t.Fatal(err)
			}
			sess = get(t, s, "s", 0)
			for key, want := range events[done].Actions.StateDelta {
				if got, _ := sess.State().Get(key); got != want {
					t.Errorf("%s is %v after the repetition of event %d, want %v", key, got, done, want)
				}
			}
			if n := sess.Events().Len(); n != done+1 {
				t.Errorf("%d events after the repetition of event %d", n, done)
			}
		})
	})
}

// TestLostReply: an append that is repeated because its reply was lost is one event,
// and completes the shared state.
func TestLostReply(t *testing.T) {
	store, faults := adapterstores.OpenFaults(t, "memory:")
	s := adk.NewSessions(store)
	sess := create(t, s, "s")
	e := event("a", time.Now(), map[string]any{"user:n": 1.0, "n": 2.0})
	faults.LoseReplies(1)
	if err := s.AppendEvent(t.Context(), sess, e); !errors.Is(err, checkpoint.ErrUnavailable) {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.AppendEvent(t.Context(), sess, e); err != nil {
			t.Fatal(err)
		}
	}
	got := get(t, s, "s", 0)
	if !slices.Equal(ids(got), []string{"a"}) || !slices.Equal(ids(sess), []string{"a"}) {
		t.Errorf("stored %v, in hand %v", ids(got), ids(sess))
	}
	if n, err := got.State().Get("user:n"); n != 1.0 {
		t.Errorf("the user's state: %v, %v", n, err)
	}
	if err := s.AppendEvent(t.Context(), sess, event("b", time.Now(), nil)); err != nil {
		t.Errorf("the handle does not go on: %v", err)
	}
}

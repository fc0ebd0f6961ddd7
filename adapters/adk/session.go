package adk

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/adk/v2/session"
)

// storedSession is a session as it was got from the store, and changed since by the
// events that were appended through it.
type storedSession struct {
	app, user, id string
	thread        string

	mu      sync.RWMutex
	events  []*session.Event
	state   map[string]any // with the shared state and the temporary one
	updated time.Time
	version int64  // of the thread
	last    string // the id of that version
	partial bool   // the state is not known
}

func (s *storedSession) ID() string      { return s.id }
func (s *storedSession) AppName() string { return s.app }
func (s *storedSession) UserID() string  { return s.user }

func (s *storedSession) State() session.State { return stateView{s} }

func (s *storedSession) Events() session.Events {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return eventList(slices.Clip(s.events))
}

func (s *storedSession) LastUpdateTime() time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.updated
}

// replay makes the state and the events of the session from its records.
func (s *storedSession) replay(records []record) {
	s.state = map[string]any{}
	for _, r := range records {
		if r.Event != nil {
			s.events = append(s.events, (*session.Event)(r.Event))
			_, _, delta := split(r.Event.Actions.StateDelta)
			maps.Copy(s.state, delta)
		}
		if r.State != nil {
			s.state = maps.Clone(r.State)
		}
	}
}

// ownState is the state of the session alone after a change. s.mu is held.
func (s *storedSession) ownState(delta map[string]any) map[string]any {
	_, _, own := split(s.state)
	if own == nil {
		own = map[string]any{}
	}
	maps.Copy(own, delta)
	return own
}

// split divides state by the prefixes of its keys, and leaves out what is temporary.
func split(state map[string]any) (app, user, own map[string]any) {
	add := func(m *map[string]any, key string, value any) {
		if *m == nil {
			*m = map[string]any{}
		}
		(*m)[key] = value
	}
	for key, value := range state {
		if k, ok := strings.CutPrefix(key, session.KeyPrefixApp); ok {
			add(&app, k, value)
		} else if k, ok := strings.CutPrefix(key, session.KeyPrefixUser); ok {
			add(&user, k, value)
		} else if !strings.HasPrefix(key, session.KeyPrefixTemp) {
			add(&own, key, value)
		}
	}
	return app, user, own
}

// withoutTemp returns a copy of the event without its temporary state.
func withoutTemp(event *session.Event) *session.Event {
	stored := *event
	stored.Actions.StateDelta = maps.Clone(event.Actions.StateDelta)
	maps.DeleteFunc(stored.Actions.StateDelta, func(key string, _ any) bool { return strings.HasPrefix(key, session.KeyPrefixTemp) })
	return &stored
}

type eventList []*session.Event

func (e eventList) All() iter.Seq[*session.Event] { return slices.Values(e) }
func (e eventList) Len() int                      { return len(e) }
func (e eventList) At(i int) *session.Event {
	if i < 0 || i >= len(e) {
		return nil
	}
	return e[i]
}

// stateView is the state of a session as session.State. What is set through it is
// the caller's alone: an event with a state delta stores it.
type stateView struct{ s *storedSession }

func (v stateView) Get(key string) (any, error) {
	v.s.mu.RLock()
	defer v.s.mu.RUnlock()
	value, ok := v.s.state[key]
	if !ok {
		return nil, session.ErrStateKeyNotExist
	}
	return value, nil
}

func (v stateView) Set(key string, value any) error {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	v.s.state[key] = value
	return nil
}

func (v stateView) All() iter.Seq2[string, any] {
	v.s.mu.RLock()
	defer v.s.mu.RUnlock()
	return maps.All(maps.Clone(v.s.state))
}

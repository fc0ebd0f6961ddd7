package adk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/adk/v2/platform"
	"google.golang.org/adk/v2/session"

	"github.com/go-ckpt/checkpoint"
)

// ErrStale: the session has changed since it was got.
var ErrStale = errors.New("adk: the session has changed since it was got; get it again")

// Sessions is a session.Service on a store.
type Sessions struct {
	log    *checkpoint.Store // a version for each event
	shared *checkpoint.Store // the state of applications and users
	merge  bool
}

var _ session.Service = (*Sessions)(nil)

// An Option sets up Sessions.
type Option func(*Sessions)

// MergeStale appends the events of a session that has changed meanwhile behind those
// that are there, instead of refusing them. The conversation that a model reads may
// then have its turns interleaved.
func MergeStale() Option { return func(s *Sessions) { s.merge = true } }

// NewSessions returns a session service on the store, which the caller goes on
// closing. The store's history setting does not matter: every event is kept.
func NewSessions(store *checkpoint.Store, opts ...Option) *Sessions {
	ns := store.InNamespace()
	s := &Sessions{
		log:    store.Namespace(ns, checkpoint.WithHistory(checkpoint.KeepAll)),
		shared: store.Namespace(ns, checkpoint.WithHistory(1)),
	}
	for _, o := range opts {
		o(s)
	}
	return s
}

// A record is one version of a session's thread: the creation, or an event.
type record struct {
	Event *storedEvent `json:"event,omitempty"`
	// State is the session's own state after this record. It stands in the first
	// record and in some of the later ones, so that the latest events can be read
	// without all the others.
	State map[string]any `json:"state,omitempty"`
}

// storedEvent is an event without its UnmarshalJSON, which parses twice so that it can
// read what other runtimes have written.
type storedEvent session.Event

// stateEvery is how many records are between two that have the state.
const stateEvery = 64

const (
	metadataUpdated = "updated_at" // the time of a session's last event
	metadataState   = "state"      // "1" in a record that has the state
)

func metadata(updated time.Time, r record) checkpoint.SaveOption {
	m := map[string]string{metadataUpdated: updated.UTC().Format(time.RFC3339Nano)}
	if r.State != nil {
		m[metadataState] = "1"
	}
	return checkpoint.Metadata(m)
}

func updatedAt(info checkpoint.Info) time.Time {
	if t, err := time.Parse(time.RFC3339Nano, info.Metadata[metadataUpdated]); err == nil {
		return t
	}
	return info.SavedAt
}

// Create implements session.Service. A session that exists is an error that matches
// checkpoint.ErrConflict.
func (s *Sessions) Create(ctx context.Context, req *session.CreateRequest) (*session.CreateResponse, error) {
	if req.AppName == "" || req.UserID == "" {
		return nil, fmt.Errorf("adk: an app name and a user id are required, got %q and %q", req.AppName, req.UserID)
	}
	id := req.SessionID
	if id == "" {
		id = platform.NewUUID(ctx)
	}
	sess := &storedSession{app: req.AppName, user: req.UserID, id: id, thread: threadName("session", req.AppName, req.UserID, id), updated: platform.Now(ctx)}
	app, user, own := split(req.State)
	first := record{State: own}
	info, err := s.log.Save(ctx, sess.thread, first, checkpoint.IfAbsent(), metadata(sess.updated, first))
	if errors.Is(err, checkpoint.ErrConflict) {
		return nil, fmt.Errorf("adk: session %q already exists: %w", id, err)
	}
	if err != nil {
		return nil, err
	}
	sess.version, sess.last, sess.state = info.Version, info.ID, maps.Clone(own)
	if sess.state == nil {
		sess.state = map[string]any{}
	}
	if err := s.share(ctx, sess, app, user); err != nil {
		return nil, err
	}
	if err := s.addShared(ctx, sess); err != nil {
		return nil, err
	}
	return &session.CreateResponse{Session: sess}, nil
}

// Get implements session.Service. A session that does not exist is an error that
// matches checkpoint.ErrNotFound.
func (s *Sessions) Get(ctx context.Context, req *session.GetRequest) (*session.GetResponse, error) {
	if req.AppName == "" || req.UserID == "" || req.SessionID == "" {
		return nil, fmt.Errorf("adk: an app name, a user id and a session id are required, got %q, %q and %q", req.AppName, req.UserID, req.SessionID)
	}
	sess := &storedSession{app: req.AppName, user: req.UserID, id: req.SessionID, thread: threadName("session", req.AppName, req.UserID, req.SessionID)}
	records, err := s.read(ctx, sess, req.NumRecentEvents)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, fmt.Errorf("adk: session %q: %w", req.SessionID, checkpoint.ErrNotFound)
	}
	sess.replay(records)
	if n := req.NumRecentEvents; n > 0 {
		sess.events = sess.events[max(0, len(sess.events)-n):]
	}
	if !req.After.IsZero() {
		sess.events = slices.DeleteFunc(sess.events, func(e *session.Event) bool { return e.Timestamp.Before(req.After) })
	}
	if err := s.addShared(ctx, sess); err != nil {
		return nil, err
	}
	return &session.GetResponse{Session: sess}, nil
}

// read returns the records of a session, the oldest first: all of them, or those from
// which the recent events and the state can be told.
func (s *Sessions) read(ctx context.Context, sess *storedSession, recent int) ([]record, error) {
	var all decoding
	defer all.Wait()
	for v, err := range s.log.Versions(ctx, sess.thread, checkpoint.VersionsOptions{Newest: recent > 0}) {
		if err != nil {
			return nil, err
		}
		if v.Info.Version > sess.version {
			sess.version, sess.last, sess.updated = v.Info.Version, v.Info.ID, updatedAt(v.Info)
		}
		all.add(v)
		if recent > 0 && all.count >= recent && v.Info.Metadata[metadataState] != "" {
			break
		}
	}
	records, err := all.records()
	if recent > 0 {
		slices.Reverse(records)
	}
	return records, err
}

// List implements session.Service. The sessions come without events and state, in
// the order of their users and ids.
func (s *Sessions) List(ctx context.Context, req *session.ListRequest) (*session.ListResponse, error) {
	if req.AppName == "" {
		return nil, errors.New("adk: an app name is required")
	}
	prefix := threadName("session", req.AppName) + "/"
	if req.UserID != "" {
		prefix = threadName("session", req.AppName, req.UserID) + "/"
	}
	resp := &session.ListResponse{Sessions: []session.Session{}}
	for info, err := range s.log.List(ctx, checkpoint.ListOptions{Prefix: prefix}) {
		if err != nil {
			return nil, err
		}
		id, err := lastPart(info.Thread)
		if err != nil {
			return nil, err
		}
		user, err := lastPart(info.Thread[:strings.LastIndexByte(info.Thread, '/')])
		if err != nil {
			return nil, err
		}
		resp.Sessions = append(resp.Sessions, &storedSession{
			app: req.AppName, user: user, id: id, thread: info.Thread,
			state: map[string]any{}, version: info.Version, last: info.ID, updated: updatedAt(info), partial: true,
		})
	}
	return resp, nil
}

// Delete implements session.Service. The state that the session shared with others
// stays.
func (s *Sessions) Delete(ctx context.Context, req *session.DeleteRequest) error {
	if req.AppName == "" || req.UserID == "" || req.SessionID == "" {
		return fmt.Errorf("adk: an app name, a user id and a session id are required, got %q, %q and %q", req.AppName, req.UserID, req.SessionID)
	}
	return s.log.Delete(ctx, threadName("session", req.AppName, req.UserID, req.SessionID))
}

// AppendEvent implements session.Service; sess is one of this service's. A partial
// event is not stored. See [ErrStale].
func (s *Sessions) AppendEvent(ctx context.Context, sess session.Session, event *session.Event) error {
	if event == nil {
		return errors.New("adk: the event is nil")
	}
	own, ok := sess.(*storedSession)
	if !ok {
		return fmt.Errorf("adk: the session is a %T of another service", sess)
	}
	if event.Partial {
		return nil
	}
	own.mu.Lock()
	defer own.mu.Unlock()
	app, user, delta := split(event.Actions.StateDelta)
	stored := withoutTemp(event)
	r := record{Event: (*storedEvent)(stored)}
	condition := checkpoint.SaveOption(checkpoint.IfMatch(own.last))
	if s.merge {
		condition = checkpoint.IfExists()
	} else if (own.version+1)%stateEvery == 0 && !own.partial {
		r.State = own.ownState(delta)
	}
	opts := []checkpoint.SaveOption{condition, metadata(event.Timestamp, r)}
	if event.ID != "" {
		opts = append(opts, checkpoint.WithID(saveID(event.ID)))
	}
	info, err := s.log.Save(ctx, own.thread, r, opts...)
	if conflict, ok := errors.AsType[*checkpoint.ConflictError](err); ok {
		if conflict.Current.Version == 0 {
			return fmt.Errorf("adk: session %q: %w", own.id, checkpoint.ErrNotFound)
		}
		return fmt.Errorf("%w: %w", ErrStale, err)
	}
	if err != nil {
		return err
	}
	if info.Version > own.version { // and not an event that the session has already
		own.version, own.last, own.updated = info.Version, info.ID, event.Timestamp
		own.events = append(own.events, stored)
	}
	maps.Copy(own.state, event.Actions.StateDelta)
	return s.share(ctx, own, app, user)
}

// share writes changes to the state of the application and the user.
func (s *Sessions) share(ctx context.Context, sess *storedSession, app, user map[string]any) error {
	for thread, delta := range map[string]map[string]any{threadName("app", sess.app): app, threadName("user", sess.app, sess.user): user} {
		if len(delta) == 0 {
			continue
		}
		_, err := checkpoint.Update(ctx, s.shared, thread, func(state *map[string]any) error {
			if *state == nil {
				*state = map[string]any{}
			}
			maps.Copy(*state, delta)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addShared adds the state of the application and the user to a session's.
func (s *Sessions) addShared(ctx context.Context, sess *storedSession) error {
	for prefix, thread := range map[string]string{session.KeyPrefixApp: threadName("app", sess.app), session.KeyPrefixUser: threadName("user", sess.app, sess.user)} {
		shared, _, err := checkpoint.Get[map[string]any](ctx, s.shared, thread)
		if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
			return err
		}
		for key, value := range shared {
			sess.state[prefix+key] = value
		}
	}
	return nil
}

package genkit

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/firebase/genkit/go/ai/exp"
	"github.com/firebase/genkit/go/core/status"

	"github.com/go-ckpt/checkpoint"
)

// Sessions is an exp.SessionStore on a store, with the optional exp.SnapshotSubscriber
// and exp.SnapshotMetadataReader.
type Sessions[State any] struct {
	snapshots *checkpoint.Store
	sessions  *checkpoint.Store // a version for each snapshot of a session
}

var (
	_ exp.SessionStore[any]           = (*Sessions[any])(nil)
	_ exp.SnapshotMetadataReader[any] = (*Sessions[any])(nil)
	_ exp.SnapshotSubscriber          = (*Sessions[any])(nil)
)

// NewSessions returns a session store on the store, which the caller goes on closing.
// The store's history setting does not matter.
func NewSessions[State any](store *checkpoint.Store) *Sessions[State] {
	ns := store.InNamespace()
	return &Sessions[State]{
		snapshots: store.Namespace(ns, checkpoint.WithHistory(1)),
		sessions:  store.Namespace(ns, checkpoint.WithHistory(checkpoint.KeepAll)),
	}
}

func snapshotThread(id string) string { return "snapshot/" + id }

func sessionThread(id string) string { return "session/" + id }

// entry is a version of a session's thread.
type entry struct {
	Snapshot  string    `json:"snapshot,omitempty"` // the one that was added
	Latest    string    `json:"latest"`             // the one that was created last of all
	CreatedAt time.Time `json:"created_at"`         // of that one
}

// GetSnapshot implements exp.SnapshotReader; nil when there is none.
func (s *Sessions[State]) GetSnapshot(ctx context.Context, id string) (*exp.SessionSnapshot[State], error) {
	snapshot, _, err := s.load(ctx, id)
	return snapshot, err
}

func (s *Sessions[State]) load(ctx context.Context, id string) (*exp.SessionSnapshot[State], checkpoint.Info, error) {
	if id == "" {
		return nil, checkpoint.Info{}, nil
	}
	snapshot := new(exp.SessionSnapshot[State])
	info, err := s.snapshots.Load(ctx, snapshotThread(id), snapshot)
	if errors.Is(err, checkpoint.ErrNotFound) {
		return nil, info, nil
	}
	if err != nil {
		return nil, info, err
	}
	return snapshot, info, nil
}

// GetLatestSnapshot implements exp.SnapshotReader: the snapshot that was created last,
// of those of one instant the one with the greatest id, and nil when there is none.
func (s *Sessions[State]) GetLatestSnapshot(ctx context.Context, session string) (*exp.SessionSnapshot[State], error) {
	id, err := s.latest(ctx, session)
	if err != nil {
		return nil, err
	}
	return s.GetSnapshot(ctx, id)
}

// latest returns the id of the session's latest snapshot, empty when there is none.
func (s *Sessions[State]) latest(ctx context.Context, session string) (string, error) {
	if session == "" {
		return "", status.Errorf(exp.ErrSessionIDRequired, "checkpoint: the id of the session is empty")
	}
	e, _, err := checkpoint.Get[entry](ctx, s.sessions, sessionThread(session))
	if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
		return "", err
	}
	return e.Latest, nil
}

// metadataSnapshot is the metadata that has a snapshot without its state, as JSON. It
// is left out where the snapshot has an error, which may quote the conversation.
const metadataSnapshot = "snapshot"

func metadata[State any](snapshot exp.SessionSnapshot[State]) (map[string]string, error) {
	if snapshot.Error != nil {
		return nil, nil
	}
	snapshot.State = nil
	data, err := json.Marshal(snapshot)
	const most = 3 << 10 // bytes
	if err != nil || len(data) > most {
		return nil, err
	}
	return map[string]string{metadataSnapshot: string(data)}, nil
}

// GetSnapshotMetadata implements exp.SnapshotMetadataReader.
func (s *Sessions[State]) GetSnapshotMetadata(ctx context.Context, id string) (*exp.SessionSnapshot[State], error) {
	if id == "" {
		return nil, nil
	}
	info, err := s.snapshots.Stat(ctx, snapshotThread(id))
	if errors.Is(err, checkpoint.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	snapshot := new(exp.SessionSnapshot[State])
	if err := json.Unmarshal([]byte(info.Metadata[metadataSnapshot]), snapshot); err == nil {
		return snapshot, nil
	}
	snapshot, err = s.GetSnapshot(ctx, id)
	if snapshot != nil {
		snapshot.State = nil
	}
	return snapshot, err
}

// GetLatestSnapshotMetadata implements exp.SnapshotMetadataReader.
func (s *Sessions[State]) GetLatestSnapshotMetadata(ctx context.Context, session string) (*exp.SessionSnapshot[State], error) {
	id, err := s.latest(ctx, session)
	if err != nil {
		return nil, err
	}
	return s.GetSnapshotMetadata(ctx, id)
}

// SaveSnapshot implements exp.SnapshotWriter. The function runs again when the snapshot
// has changed meanwhile.
func (s *Sessions[State]) SaveSnapshot(ctx context.Context, id string, fn func(*exp.SessionSnapshot[State]) (*exp.SessionSnapshot[State], error)) (*exp.SessionSnapshot[State], error) {
	isNew := id == ""
	if isNew {
		id = rand.Text()
	}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		var (
			existing *exp.SessionSnapshot[State]
			present  checkpoint.Info
			session  string
			err      error
		)
		if !isNew {
			if existing, present, err = s.load(ctx, id); err != nil {
				return nil, err
			}
		}
		if existing != nil {
			session = existing.SessionID // before fn, which may change it
		}
		next, err := fn(existing)
		if err != nil || next == nil {
			return nil, err
		}
		next.SnapshotID, next.SessionID = id, cmp.Or(session, next.SessionID)
		next.Status = cmp.Or(next.Status, exp.SnapshotStatusCompleted)
		if next.SessionID == "" {
			return nil, status.Errorf(exp.ErrSessionIDRequired, "checkpoint: the snapshot has no session id")
		}
		info, err := s.write(ctx, next, present)
		if err == nil {
			return next, s.add(ctx, next, !info.ExpiresAt.IsZero())
		}
		if !errors.Is(err, checkpoint.ErrConflict) {
			return nil, err
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

const (
	firstPause   = 5 * time.Millisecond
	longestPause = 200 * time.Millisecond
	attempts     = 4
)

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write saves the snapshot on the condition that the thread is as it was read. A save
// whose outcome is not known is repeated.
func (s *Sessions[State]) write(ctx context.Context, next *exp.SessionSnapshot[State], present checkpoint.Info) (info checkpoint.Info, err error) {
	m, err := metadata(*next)
	if err != nil {
		return info, fmt.Errorf("genkit: snapshot %q has no JSON: %w", next.SnapshotID, err)
	}
	opts := []checkpoint.SaveOption{checkpoint.WithID(rand.Text()), checkpoint.Metadata(m), checkpoint.IfAbsent()}
	if present.Version != 0 {
		opts[2] = checkpoint.IfMatch(present.ID)
	}
	for attempt := 1; ; attempt++ {
		info, err = s.snapshots.Save(ctx, snapshotThread(next.SnapshotID), next, opts...)
		if attempt == attempts || !errors.Is(err, checkpoint.ErrUnavailable) || sleep(ctx, firstPause<<(2*attempt)) != nil {
			return info, err
		}
	}
}

// add makes the snapshot one of its session, which it mostly is already. A session
// that expires lives on with its latest snapshot.
func (s *Sessions[State]) add(ctx context.Context, snapshot *exp.SessionSnapshot[State], expires bool) error {
	thread, isLatest := sessionThread(snapshot.SessionID), false
	_, err := checkpoint.Update(ctx, s.sessions, thread, func(e *entry) error {
		if isLatest = e.Latest == snapshot.SnapshotID; isLatest {
			return checkpoint.ErrSkip
		}
		e.Snapshot = snapshot.SnapshotID
		if cmp.Or(snapshot.CreatedAt.Compare(e.CreatedAt), cmp.Compare(snapshot.SnapshotID, e.Latest)) > 0 {
			e.Latest, e.CreatedAt = snapshot.SnapshotID, snapshot.CreatedAt
		}
		return nil
	}, checkpoint.WithID(fmt.Sprintf("%x", sha256.Sum256([]byte(snapshot.SnapshotID)))))
	if err != nil || !isLatest || !expires {
		return err
	}
	_, err = checkpoint.Update(ctx, s.sessions, thread, func(e *entry) error {
		if e.Latest != snapshot.SnapshotID {
			return checkpoint.ErrSkip
		}
		e.Snapshot = ""
		return nil
	})
	return err
}

// DeleteSession removes the snapshots of a session, the session last, so that it can be
// called again after a failure. What is saved meanwhile may stay.
func (s *Sessions[State]) DeleteSession(ctx context.Context, session string) error {
	for v, err := range s.sessions.Versions(ctx, sessionThread(session), checkpoint.VersionsOptions{}) {
		var e entry
		if err == nil {
			err = v.Decode(&e)
		}
		if err == nil && e.Snapshot != "" {
			err = s.snapshots.Delete(ctx, snapshotThread(e.Snapshot))
		}
		if err != nil {
			return err
		}
	}
	return s.sessions.Delete(ctx, sessionThread(session))
}

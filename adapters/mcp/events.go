package mcp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/go-ckpt/checkpoint"
)

// DefaultTTL is how long events live when New is not told.
const DefaultTTL = 24 * time.Hour

// Store is a mcp.EventStore on a checkpoint store, for all the sessions of all the
// replicas of a server.
type Store struct{ log *checkpoint.Store }

var _ mcp.EventStore = (*Store)(nil)

// An Option sets up a Store.
type Option func(*settings)

type settings struct{ keep int }

// Keep keeps the n newest events of each stream; without it they are all kept until
// they expire. An n below 1 makes every operation an error that matches
// checkpoint.ErrInvalid.
func Keep(n int) Option {
	return func(s *settings) {
		s.keep = n
		if n >= 1 {
			s.keep = n + 1 // an opened stream without events has a version too
		}
	}
}

// New returns an event store on the store, which the caller goes on closing. The
// events of a stream live for ttl after the last of them, whatever the store's own TTL
// and history settings; 0 is [DefaultTTL].
func New(store *checkpoint.Store, ttl time.Duration, opts ...Option) *Store {
	s := settings{keep: checkpoint.KeepAll}
	for _, o := range opts {
		o(&s)
	}
	if ttl == 0 {
		ttl = DefaultTTL
	}
	return &Store{store.Namespace(store.InNamespace(), checkpoint.WithHistory(s.keep), checkpoint.WithTTL(ttl))}
}

// Version 1 of a stream's thread is its opening, and event i is version i+2.
const firstEvent = 2

func prefix(session string) string { return "session/" + url.PathEscape(session) + "/" }

// thread names the thread of a stream; one stream of a session has the empty id.
func thread(session, stream string) string { return prefix(session) + url.PathEscape(stream) }

// Open implements mcp.EventStore. A stream that is there stays as it is.
func (s *Store) Open(ctx context.Context, session, stream string) error {
	err := s.save(ctx, thread(session, stream), nil, checkpoint.IfAbsent())
	if errors.Is(err, checkpoint.ErrConflict) {
		return nil
	}
	return err
}

// Append implements mcp.EventStore. A stream that was not opened, or has expired since,
// is an error that matches mcp.ErrEventsPurged: its indexes would not be the server's.
func (s *Store) Append(ctx context.Context, session, stream string, data []byte) error {
	err := s.save(ctx, thread(session, stream), data, checkpoint.IfExists())
	if errors.Is(err, checkpoint.ErrConflict) {
		return fmt.Errorf("mcp: stream %q of session %q is not open, or has expired: %w", stream, session, mcp.ErrEventsPurged)
	}
	return err
}

// A save whose outcome is not known is repeated, since nobody else would: the server
// counts its events whether or not they could be stored.
const (
	attempts   = 4
	firstPause = 20 * time.Millisecond
)

func (s *Store) save(ctx context.Context, thread string, data []byte, condition checkpoint.SaveOption) error {
	id := checkpoint.WithID(rand.Text())
	for attempt, pause := 1, firstPause; ; attempt, pause = attempt+1, 2*pause {
		_, err := s.log.Save(ctx, thread, checkpoint.Bytes(data), condition, id)
		if attempt == attempts || !errors.Is(err, checkpoint.ErrUnavailable) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// After implements mcp.EventStore. When an event after index has expired or was
// dropped, it yields an error that matches mcp.ErrEventsPurged.
func (s *Store) After(ctx context.Context, session, stream string, index int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		thread, next := thread(session, stream), int64(max(index, -1))+1+firstEvent
		purged := fmt.Errorf("mcp: events after %d of stream %q of session %q: %w", index, stream, session, mcp.ErrEventsPurged)
		info, err := s.log.Stat(ctx, thread)
		if errors.Is(err, checkpoint.ErrNotFound) {
			err = purged
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if next > info.Version {
			return
		}
		for v, err := range s.log.Versions(ctx, thread, checkpoint.VersionsOptions{From: next, To: info.Version}) {
			if err == nil && v.Info.Version != next {
				err = purged
			}
			var data checkpoint.Bytes
			if err == nil {
				err = v.Decode(&data)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(data, nil) {
				return
			}
			next++
		}
		if next <= info.Version { // removed meanwhile
			yield(nil, purged)
		}
	}
}

// SessionClosed implements mcp.EventStore: it removes the events of the session's
// streams. On DynamoDB a stream of the last moments may stay until it expires.
func (s *Store) SessionClosed(ctx context.Context, session string) error {
	_, err := s.log.DeletePrefix(ctx, prefix(session))
	return err
}

// Purge removes what has expired from the store's namespace, and returns how many
// streams and other threads that was; call it now and then. An error that matches
// errors.ErrUnsupported says that the database does so by itself.
func (s *Store) Purge(ctx context.Context) (int64, error) { return s.log.Purge(ctx) }

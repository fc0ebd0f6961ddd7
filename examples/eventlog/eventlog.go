// Eventlog keeps a conversation as a log of events: one event a version, so that an
// append costs the event and not the conversation, and a snapshot every so many
// events, so that reading back stays short.
package eventlog

import (
	"context"
	"errors"

	"github.com/go-ckpt/checkpoint"
)

// Event is what happened.
type Event struct {
	ID   string `json:"id"` // unique in its conversation: 1 to 64 of A-Z a-z 0-9 . _ ~ -
	Role string `json:"role"`
	Text string `json:"text"`
}

// Conversation is what the events add up to.
type Conversation struct {
	Events int    `json:"events"` // how many it contains
	Last   Event  `json:"last"`
	Words  int    `json:"words"`
	Life   string `json:"life"` // the id of the first event: a log that was deleted and begun again has another
}

// A Log keeps conversations.
type Log struct {
	events, snapshots *checkpoint.Store
	every             int
}

// New returns logs in a store. Every so many events a snapshot is saved.
func New(s *checkpoint.Store, every int) *Log {
	return &Log{
		events:    s.Namespace(s.InNamespace()+".events", checkpoint.WithHistory(checkpoint.KeepAll)),
		snapshots: s.Namespace(s.InNamespace()+".snapshots", checkpoint.WithHistory(1)),
		every:     every,
	}
}

// Append adds an event to a conversation of which the caller knows so many events,
// and returns how many there are now. If there are others that the caller does not
// know, it is an ErrConflict. The same event again changes nothing.
func (l *Log) Append(ctx context.Context, thread string, known int64, e Event) (int64, error) {
	info, err := l.events.Save(ctx, thread, e, checkpoint.IfVersion(known), checkpoint.WithID(e.ID))
	return info.Version, err
}

// Tail calls f for each event after the first n, in their order.
func (l *Log) Tail(ctx context.Context, thread string, n int64, f func(version int64, e Event) error) error {
	for v, err := range l.events.Versions(ctx, thread, checkpoint.VersionsOptions{From: n + 1}) {
		if err != nil {
			return err
		}
		var e Event
		if err := v.Decode(&e); err != nil {
			return err
		}
		if err := f(v.Version, e); err != nil {
			return err
		}
	}
	return nil
}

// Read returns what a conversation adds up to: its snapshot and the events after
// it. It saves a new snapshot when there are many. A snapshot is a cache: where it
// is missing, old, or of a former life, more events are read.
func (l *Log) Read(ctx context.Context, thread string) (Conversation, error) {
	first, err := l.first(ctx, thread)
	if err != nil {
		return Conversation{}, err
	}
	c, _, err := checkpoint.Get[Conversation](ctx, l.snapshots, thread)
	if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
		return Conversation{}, err
	}
	if c.Life != first {
		c = Conversation{Life: first}
	}
	before := c.Events
	err = l.Tail(ctx, thread, int64(before), func(version int64, e Event) error {
		c.add(version, e)
		return nil
	})
	if err == nil && c.Events >= before+l.every {
		_, err = l.snapshots.Save(ctx, thread, c)
	}
	return c, err
}

// first returns the id of the first event.
func (l *Log) first(ctx context.Context, thread string) (string, error) {
	var e Event
	info, err := l.events.LoadVersion(ctx, thread, 1, &e)
	return info.ID, err
}

// add is what an event does to the conversation.
func (c *Conversation) add(version int64, e Event) {
	c.Events, c.Last = int(version), e
	inWord := false
	for _, r := range e.Text {
		if r != ' ' && !inWord {
			c.Words++
		}
		inWord = r != ' '
	}
}

// Delete removes a conversation and its snapshot.
func (l *Log) Delete(ctx context.Context, thread string) error {
	if err := l.events.Delete(ctx, thread); err != nil {
		return err
	}
	return l.snapshots.Delete(ctx, thread)
}

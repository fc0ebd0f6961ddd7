package checkpoint

import (
	"crypto/rand"
	"fmt"
	"maps"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
)

// A SaveOption sets up one save.
type SaveOption interface{ applySave(*saveOptions) }

// A DeleteOption sets up one deletion.
type DeleteOption interface{ applyDelete(*deleteOptions) }

// A Condition makes a save or a deletion depend on what the thread is at that
// moment. The database decides it in the step of the write, so that of any number
// of concurrent savers with the same [IfMatch] or [IfVersion] one wins. A call takes
// at most one condition.
type Condition interface {
	SaveOption
	DeleteOption
}

// IfMatch is the condition that the latest checkpoint of the thread has this id,
// the [Info].ID of an earlier save or load; otherwise the call is an
// [ErrConflict].
func IfMatch(id string) Condition {
	c := condition{match: driver.Match{ID: id}}
	switch {
	case id == "":
		c.err = fmt.Errorf("%w option: IfMatch with an empty id; use IfAbsent for a thread that must not exist", ErrInvalid)
	case !isID(id):
		c.err = fmt.Errorf("%w option: IfMatch with what is no id of a checkpoint", ErrInvalid)
	}
	return c
}

// IfVersion is the condition that the latest checkpoint of the thread has this
// version; otherwise the call is an [ErrConflict]. On a save, version 0 is
// [IfAbsent].
//
// Versions start again when a thread is deleted and saved anew; where that may
// happen in between, [IfMatch] tells the two lives apart.
func IfVersion(version int64) Condition {
	c := condition{match: driver.Match{Version: version}}
	switch {
	case version < 0:
		c.err = fmt.Errorf("%w option: IfVersion(%d): versions count from 1", ErrInvalid, version)
	case version == 0:
		c.match = driver.Match{Absent: true}
	}
	return c
}

// IfExists is the condition that the thread exists. Otherwise a save is an
// [ErrConflict], and a deletion an [ErrNotFound].
func IfExists() Condition { return condition{match: driver.Match{Exists: true}} }

// IfAbsent makes a save depend on the thread not existing (or having expired);
// otherwise it is an [ErrConflict].
func IfAbsent() SaveOption { return condition{match: driver.Match{Absent: true}} }

// condition is one condition of a call; err says what is wrong with it.
type condition struct {
	match driver.Match
	err   error
}

func (c condition) applySave(o *saveOptions)     { o.conditions.add(c) }
func (c condition) applyDelete(o *deleteOptions) { o.conditions.add(c) }

// conditions are the conditions of one call, of which one is allowed.
type conditions struct {
	given int
	match driver.Match
	err   error
}

func (cs *conditions) add(c condition) {
	cs.given++
	cs.match = c.match
	if cs.err == nil {
		cs.err = c.err
	}
	if cs.err == nil && cs.given > 1 {
		cs.err = fmt.Errorf("%w option: a call takes one condition, and more than one of IfMatch, IfVersion, IfExists and IfAbsent was given", ErrInvalid)
	}
}

type saveOption func(*saveOptions)

func (f saveOption) applySave(o *saveOptions) { f(o) }

type saveOptions struct {
	conditions
	id       string
	ttl      time.Duration
	metadata map[string]string
}

// WithID gives the save an id of the caller's own: 1 to 64 of A-Z a-z 0-9 . _ ~ -,
// compared byte by byte. A save whose id a kept version of the thread has already
// changes nothing and returns that version's Info, whatever state and condition it
// carries: so it can be repeated, also by another process, and is applied once.
// Choose ids that no other save of the thread has, such as the id of the event that
// is being saved.
func WithID(id string) SaveOption {
	return saveOption(func(o *saveOptions) {
		o.id = id
		if o.err == nil && !isOwnID(id) {
			o.err = fmt.Errorf("%w option: WithID: an id is 1 to 64 of A-Z a-z 0-9 . _ ~ -", ErrInvalid)
		}
	})
}

// ExpiresIn sets the thread to expire d after this save, instead of the store's
// TTL; 0 is never.
func ExpiresIn(d time.Duration) SaveOption {
	return saveOption(func(o *saveOptions) { o.ttl = d })
}

// Metadata is stored beside the state, unencrypted, and comes back in [Info]:
// at most 64 entries and 4 KiB of UTF-8 without NUL.
func Metadata(m map[string]string) SaveOption {
	m = maps.Clone(m)
	return saveOption(func(o *saveOptions) { o.metadata = m })
}

// saveOptions returns what opts say, and the id of the save also when they are
// wrong.
func (s *Store) saveOptions(opts []SaveOption) (saveOptions, error) {
	o := saveOptions{ttl: s.ttl}
	for _, opt := range opts {
		if opt != nil {
			opt.applySave(&o)
		}
	}
	if o.id == "" {
		o.id = rand.Text()
	}
	switch {
	case o.err != nil:
		return o, o.err
	case o.ttl < 0:
		return o, fmt.Errorf("%w option: ExpiresIn: %v is negative", ErrInvalid, o.ttl)
	}
	return o, names.CheckMetadata(o.metadata)
}

type deleteOptions struct{ conditions }

func newDeleteOptions(opts []DeleteOption) (deleteOptions, error) {
	if len(opts) == 0 {
		return deleteOptions{}, nil // allocates nothing
	}
	var o deleteOptions
	for _, opt := range opts {
		if opt != nil {
			opt.applyDelete(&o)
		}
	}
	if o.err == nil && o.match.Absent {
		o.err = fmt.Errorf("%w option: a deletion cannot depend on version 0; versions count from 1", ErrInvalid)
	}
	return o, o.err
}

// isOwnID reports whether s can be the id that a caller gives a save.
func isOwnID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '~' || c == '-') {
			return false
		}
	}
	return true
}

// isID reports whether s can be the id of a checkpoint: 1 to 128 printable ASCII
// characters, for those that other programs made.
func isID(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

package memory

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// A store holds the threads of all namespaces. Every operation takes the one
// lock once, which makes it atomic.
type store struct {
	mu         sync.RWMutex
	namespaces map[string]*namespace
}

// A namespace exists as long as it holds a thread, expired ones included.
type namespace struct {
	threads map[string]*thread
	names   sorted // the keys of threads
}

// A thread holds the kept versions of its present life, oldest first, numbered
// without gaps; there is at least one.
type thread struct {
	versions []*driver.Checkpoint // not changed once they are here, so that they can be read without the lock
	needed   []*driver.Checkpoint // the versions before, invisible, that the oldest one's patch builds on
}

func (t *thread) latest() *driver.Checkpoint { return t.versions[len(t.versions)-1] }

// version returns the kept version of that number, or nil.
func (t *thread) version(n int64) *driver.Checkpoint {
	i := n - t.versions[0].Version
	if i < 0 || i >= int64(len(t.versions)) {
		return nil
	}
	return t.versions[i]
}

// withID returns the kept version that was saved with id, or nil.
func (t *thread) withID(id string) *driver.Checkpoint {
	for _, c := range t.versions {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// add appends c as the latest version and drops those beyond keep, but for what the
// oldest of the others needs.
func (t *thread) add(c *driver.Checkpoint, keep int) {
	t.versions = append(t.versions, c)
	if extra := len(t.versions) - keep; extra > 0 {
		t.needed = append(t.needed, t.versions[:extra]...)
		t.versions = slices.Delete(t.versions, 0, extra)
	}
	base := t.versions[0].Base
	t.needed = slices.DeleteFunc(t.needed, func(n *driver.Checkpoint) bool { return base == 0 || n.Version < base })
}

// links returns what the patch of a kept version builds on.
func (t *thread) links(c *driver.Checkpoint) []*driver.Checkpoint {
	if c.Base == 0 {
		return nil
	}
	links := slices.Concat(t.needed, t.versions)
	return slices.DeleteFunc(links, func(l *driver.Checkpoint) bool { return l.Version < c.Base || l.Version >= c.Version })
}

// live returns the thread, or nil if there is none or it has expired by now.
// The lock is held.
func (s *store) live(key driver.Key, now time.Time) *thread {
	ns := s.namespaces[key.Namespace]
	if ns == nil {
		return nil
	}
	t := ns.threads[key.Thread]
	if t == nil || t.latest().Expired(now) {
		return nil
	}
	return t
}

// put makes t the thread of that key, in place of any other. The lock is held.
func (s *store) put(key driver.Key, t *thread) {
	ns := s.namespaces[key.Namespace]
	if ns == nil {
		ns = &namespace{threads: make(map[string]*thread)}
		if s.namespaces == nil {
			s.namespaces = make(map[string]*namespace)
		}
		s.namespaces[key.Namespace] = ns
	}
	if _, ok := ns.threads[key.Thread]; !ok {
		ns.names.insert(key.Thread)
	}
	ns.threads[key.Thread] = t
}

// drop removes a thread, and its namespace if that is empty now. The lock is
// held.
func (s *store) drop(key driver.Key) {
	ns := s.namespaces[key.Namespace]
	if ns == nil || ns.threads[key.Thread] == nil {
		return
	}
	delete(ns.threads, key.Thread)
	ns.names.remove(key.Thread)
	if len(ns.threads) == 0 {
		delete(s.namespaces, key.Namespace)
	}
}

// save saves a whole state, or a patch, whose Base is not 0.
func (s *store) save(req driver.PatchRequest) (driver.Info, error) {
	payload := bytes.Clone(req.Payload) // before the lock: it may be large

	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.live(req.Key, req.Now)

	// Rule 3 comes before the condition: a repeated save is no conflict.
	if t != nil {
		if c := t.withID(req.ID); c != nil {
			return cloneInfo(c.Info), nil
		}
	}
	if err := check(req.Match, t); err != nil {
		return driver.Info{}, err
	}
	if req.Base != 0 && (t == nil || t.latest().ID != req.Previous.ID || t.latest().Digest != req.Previous.Digest ||
		req.Base != cmp.Or(t.latest().Base, t.latest().Version)) {
		return driver.Info{}, driver.ErrBase
	}

	if t != nil && t.latest().Version >= driver.MaxVersion {
		return driver.Info{}, errHighestVersion
	}

	c := &driver.Checkpoint{
		Info: driver.Info{
			Key:       req.Key,
			ID:        req.ID,
			Version:   1,
			Size:      len(req.Payload),
			Encoding:  req.Encoding,
			Base:      req.Base,
			Metadata:  cloneMetadata(req.Metadata),
			CreatedAt: req.Now,
			SavedAt:   req.Now,
			ExpiresAt: req.ExpiresAt,
		},
		Payload: payload,
		Digest:  req.Digest,
	}
	if t != nil {
		c.Version = t.latest().Version + 1
		c.CreatedAt = t.latest().CreatedAt
	} else {
		t = new(thread)
		s.put(req.Key, t) // in place of what an expired life has left
	}
	t.add(c, req.Keep)
	return cloneInfo(c.Info), nil
}

// check decides a condition; t is the live thread, or nil.
func check(m driver.Match, t *thread) error {
	var current driver.Info
	if t != nil {
		current = t.latest().Info
	}
	if m.Holds(current) {
		return nil
	}
	return &driver.ConflictError{Current: cloneInfo(current)}
}

func (s *store) importCheckpoint(req driver.ImportRequest) error {
	c := &driver.Checkpoint{Info: cloneInfo(req.Info), Payload: bytes.Clone(req.Payload)}
	c.Size = len(c.Payload)

	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.live(req.Key, req.Now)
	if t != nil {
		switch there := t.version(c.Version); {
		case there != nil && there.ID == c.ID:
			return nil
		case t.latest().Version >= c.Version:
			return &driver.ConflictError{Current: cloneInfo(t.latest().Info)}
		}
	}
	if err := check(req.Match, t); err != nil {
		return err
	}
	switch {
	case t == nil:
		t = new(thread)
		s.put(req.Key, t)
	case t.latest().Version < c.Version-1:
		t.versions, t.needed = nil, nil // a gap would separate them from c
	}
	t.add(c, req.Keep)
	return nil
}

func (s *store) rewrite(req driver.RewriteRequest) error {
	payload := bytes.Clone(req.Payload)

	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.live(req.Key, req.Now)
	if t == nil || !req.Holds(t.latest().Info) {
		return driver.ErrNotFound
	}
	for _, versions := range [][]*driver.Checkpoint{t.needed, t.versions} {
		for i, old := range versions {
			if old.Version == req.Version && old.ID == req.ID {
				c := *old // what is there may be being read
				c.Payload, c.Encoding, c.Size, c.Digest = payload, req.Encoding, len(payload), req.Digest
				versions[i] = &c
				return nil
			}
		}
	}
	return driver.ErrNotFound
}

func (s *store) load(req driver.LoadRequest) (driver.Checkpoint, error) {
	c, links := s.get(req)
	if c == nil {
		return driver.Checkpoint{}, driver.ErrNotFound
	}
	loaded := driver.Checkpoint{Info: cloneInfo(c.Info), Payload: bytes.Clone(c.Payload), Digest: c.Digest}
	for _, l := range links {
		loaded.Links = append(loaded.Links, driver.Link{
			Version: l.Version, ID: l.ID, Encoding: l.Encoding, Base: l.Base, Payload: bytes.Clone(l.Payload),
		})
	}
	return loaded, nil
}

// get returns the checkpoint that req asks for, or nil, and what it builds on.
func (s *store) get(req driver.LoadRequest) (*driver.Checkpoint, []*driver.Checkpoint) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.live(req.Key, req.Now)
	if t == nil {
		return nil, nil
	}
	c := t.latest()
	if req.Version != 0 {
		if c = t.version(req.Version); c == nil {
			return nil, nil
		}
	}
	return c, t.links(c)
}

func (s *store) find(req driver.FindRequest) (driver.Info, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.live(req.Key, req.Now); t != nil {
		if c := t.withID(req.ID); c != nil {
			return cloneInfo(c.Info), nil
		}
	}
	return driver.Info{}, driver.ErrNotFound
}

// errHighestVersion is the error of a save to a thread that cannot count further.
var errHighestVersion = fmt.Errorf("%w save: the thread has reached the highest version, %d", driver.ErrInvalid, int64(driver.MaxVersion))

// cloneMetadata returns a copy of m, nil if m is empty.
func cloneMetadata(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return maps.Clone(m)
}

// cloneInfo returns an Info that shares nothing with i.
func cloneInfo(i driver.Info) driver.Info {
	i.Metadata = cloneMetadata(i.Metadata)
	return i
}

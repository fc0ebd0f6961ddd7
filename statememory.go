package checkpoint

import (
	"bytes"
	"container/list"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/delta"
)

// A remembered state is what the handle knows about the latest checkpoint of a
// thread. It may be wrong by now: the database decides. While the next save will not
// look for a patch, it is only how many more will not: there is no digest then.
type remembered struct {
	state   payload   // encoded, not compressed or sealed
	sum     delta.Sum // of state; zero where it is not known
	id      string
	version int64
	created time.Time
	digest  string // of its payload, as stored
	base    int64  // 0: stored whole
	stored  int    // bytes of the payload of the whole state
	patches int    // bytes of the payloads of the patches after it
	futile  futile
}

// meets reports whether a condition holds while it is the latest version.
func (r remembered) meets(m driver.Match) bool {
	return m.Holds(Info{ID: r.id, Version: r.version})
}

// worthwhile reports whether it says anything to a later save: a state to make a
// patch against, or that none is worth looking for.
func (r remembered) worthwhile() bool { return r.digest != "" || r.futile != futile{} }

// at returns what is remembered when it has been stored as info says.
func (r remembered) at(info Info) remembered {
	r.id, r.version, r.created = info.ID, info.Version, info.CreatedAt
	return r
}

// futile counts patches that would have been too large, for states that change as a
// whole: looking for a patch costs time, so after each of them twice as many saves, up
// to 31, do not look.
type futile struct{ pause, left int }

func (f futile) skip() bool      { return f.left > 0 }
func (f futile) skipped() futile { return futile{f.pause, f.left - 1} }
func (f futile) again() futile {
	pause := min(2*f.pause+1, 31)
	return futile{pause, pause}
}

// A stateMemory remembers states within a bound of bytes, and forgets the least
// recently used ones first. A handle and its views share one.
type stateMemory struct {
	limit int64

	mu     sync.Mutex
	used   int64
	states map[driver.Key]*list.Element // of *memoryEntry
	recent list.List                    // the most recently used first
}

type memoryEntry struct {
	key driver.Key
	remembered
	size int64
}

// entryOverhead is about what a state takes beside its bytes and its key: the entry,
// its place in the list and in the map, id and digest.
const entryOverhead = 512

func newStateMemory(limit int64) *stateMemory {
	return &stateMemory{limit: limit, states: make(map[driver.Key]*list.Element)}
}

// bytes returns how much is remembered.
func (m *stateMemory) bytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// get returns what is remembered of a thread.
func (m *stateMemory) get(key driver.Key) (remembered, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.states[key]
	if e == nil {
		return remembered{}, false
	}
	m.recent.MoveToFront(e)
	return e.Value.(*memoryEntry).remembered, true
}

// put remembers a state, unless a newer one of the thread is remembered already. The
// memory of JSON is the handle's own; other states are copied, for it may be the
// caller's.
func (m *stateMemory) put(key driver.Key, r remembered) {
	size := int64(len(r.state.data)+r.sum.Size()+len(key.Namespace)+len(key.Thread)) + entryOverhead
	if size > m.limit {
		m.drop(key)
		return
	}
	if r.state.encoding != encodingJSON {
		r.state.data = bytes.Clone(r.state.data)
	} else if cap(r.state.data) > len(r.state.data)+len(r.state.data)/8 {
		r.state.data = bytes.Clone(r.state.data) // the bound counts lengths
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.states[key]; e != nil {
		old := e.Value.(*memoryEntry)
		if old.created.After(r.created) || old.created.Equal(r.created) && old.version > r.version {
			return
		}
		m.remove(e)
	}
	m.states[key] = m.recent.PushFront(&memoryEntry{key, r, size})
	m.used += size
	for m.used > m.limit {
		m.remove(m.recent.Back())
	}
}

// drop forgets a thread.
func (m *stateMemory) drop(key driver.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.states[key]; e != nil {
		m.remove(e)
	}
}

// clear forgets everything.
func (m *stateMemory) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.states)
	m.recent.Init()
	m.used = 0
}

// remove forgets an entry. The lock is held.
func (m *stateMemory) remove(e *list.Element) {
	entry := m.recent.Remove(e).(*memoryEntry)
	delete(m.states, entry.key)
	m.used -= entry.size
}

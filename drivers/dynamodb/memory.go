package dynamodb

import (
	"container/list"
	"sync"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
)

// A headMemory remembers the heads of threads that were saved or loaded last, without
// their payloads, so that the next save need not ask for them. What it says may be
// wrong by now: it is used as a condition of a write only, which the database decides,
// and where that fails the head is read. It is bounded in bytes, and the least recently
// used are forgotten first.
type headMemory struct {
	mu     sync.Mutex
	used   int
	heads  map[driver.Key]*list.Element // of *knownHead
	recent list.List                    // the most recently used first
}

// A knownHead is a head, and how often it turned out to be another's by now: after
// each time twice as many saves, up to 31, do without it.
type knownHead struct {
	head        *item
	pause, left int
}

const maxKnown = 4 << 20 // bytes

func newHeadMemory() *headMemory {
	return &headMemory{heads: make(map[driver.Key]*list.Element)}
}

// size is about what a head takes.
func (k *knownHead) size() int {
	n := 700 + len(k.head.Namespace) + len(k.head.Thread) + 48*len(k.head.ids) + 80*len(k.head.runs)
	for key, value := range k.head.Metadata {
		n += 64 + len(key) + len(value)
	}
	return n
}

// get returns what is remembered of a thread, nil if there is nothing.
func (m *headMemory) get(key driver.Key) *item {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.heads[key]
	if e == nil {
		return nil
	}
	m.recent.MoveToFront(e)
	known := e.Value.(*knownHead)
	if known.left > 0 {
		known.left--
		return nil
	}
	return known.head
}

// put remembers a head, unless a later one of its life is remembered.
func (m *headMemory) put(head *item) {
	if head.legacy || head.life == "" {
		return
	}
	known := &knownHead{head: new(item)}
	*known.head = *head
	known.head.payload, known.head.Metadata = nil, backends.CloneMetadata(head.Metadata)
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.heads[head.Key]; e != nil {
		old := e.Value.(*knownHead)
		if old.head.life == head.life && old.head.Version > head.Version {
			return
		}
		known.pause, known.left = old.pause, old.left
		m.remove(e)
	}
	m.heads[head.Key] = m.recent.PushFront(known)
	for m.used += known.size(); m.used > maxKnown; {
		m.remove(m.recent.Back())
	}
}

// judge notes whether a head was still the thread's when a write was made on it.
func (m *headMemory) judge(key driver.Key, right bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.heads[key]
	if e == nil {
		return
	}
	known := e.Value.(*knownHead)
	if right {
		known.pause = 0
	} else {
		known.pause = min(2*known.pause+1, 31)
		known.left = known.pause
	}
}

// forget drops what is remembered of a thread.
func (m *headMemory) forget(key driver.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.heads[key]; e != nil {
		m.remove(e)
	}
}

// remove forgets an entry. m.mu is held.
func (m *headMemory) remove(e *list.Element) {
	known := m.recent.Remove(e).(*knownHead)
	delete(m.heads, known.head.Key)
	m.used -= known.size()
}

package checkpoint

import (
	"sync/atomic"

	"github.com/go-ckpt/checkpoint/driver"
)

// Stats are the numbers of a store and its views since it was opened, for those who
// watch it without OpenTelemetry. They never go down, but for Pool and IncrementalBytes,
// which are of the moment. Publish them with expvar.Func.
type Stats struct {
	Operations map[string]int64 // by Operation.Name, those that failed included; none that did not occur
	Errors     map[string]int64 // by ErrorClass; none that did not occur

	// Pool is the driver's pool of connections, nil where the driver has none or does
	// not tell.
	Pool *driver.Pool

	// IncrementalBytes is how much the handle remembers for WithIncremental, at most
	// what WithIncrementalMemory says.
	IncrementalBytes int64
}

// Stats returns the numbers of the store and its views. It does no I/O, and works on a
// closed store.
func (s *Store) Stats() Stats {
	st := Stats{Operations: map[string]int64{}, Errors: map[string]int64{}}
	for i, name := range operationNames {
		if n := s.conn.counts.operations[i].Load(); n > 0 {
			st.Operations[name] = n
		}
	}
	for i := range s.conn.counts.errors {
		if n := s.conn.counts.errors[i].Load(); n > 0 {
			st.Errors[className(i)] = n
		}
	}
	if p, ok := s.conn.backend.(driver.Pooler); ok {
		pool := p.Pool()
		st.Pool = &pool
	}
	if s.conn.states != nil {
		st.IncrementalBytes = s.conn.states.bytes()
	}
	return st
}

// operationNames are those of Operation.Name.
var operationNames = [...]string{"save", "load", "stat", "find", "list", "history", "versions", "restore", "fork",
	"delete", "deleteprefix", "purge", "collect", "namespaces", "ping"}

// The counts are what Stats tells, by the index of the name or the class.
type counts struct {
	operations [len(operationNames)]atomic.Int64
	errors     [len(classes) + 1]atomic.Int64
}

func (c *counts) count(operation string, err error) {
	for i, name := range operationNames {
		if name == operation {
			c.operations[i].Add(1)
			break
		}
	}
	if err != nil {
		c.errors[classOf(err)].Add(1)
	}
}

// Package registry holds what registers itself under a name: drivers and
// compressors.
package registry

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/go-ckpt/checkpoint/driver"
)

// ErrUnknownDriver: no driver of that name is registered.
var ErrUnknownDriver = errors.New("unknown driver")

// Drivers is the registry behind checkpoint.Register.
var Drivers = New[driver.Driver]("driver")

// A Table maps names to values of one kind. It is safe for concurrent use.
type Table[T comparable] struct {
	kind   string
	mu     sync.RWMutex
	values map[string]T
}

// New returns an empty table; kind names what it holds in panics.
func New[T comparable](kind string) *Table[T] {
	return &Table[T]{kind: kind, values: make(map[string]T)}
}

// Register adds a value. It panics on an empty name, a zero value and a name
// that is taken.
func (t *Table[T]) Register(name string, value T) {
	var zero T
	t.mu.Lock()
	defer t.mu.Unlock()
	switch _, taken := t.values[name]; {
	case name == "":
		panic(fmt.Sprintf("checkpoint: Register of a %s with an empty name", t.kind))
	case value == zero:
		panic(fmt.Sprintf("checkpoint: Register of a nil %s as %q", t.kind, name))
	case taken:
		panic(fmt.Sprintf("checkpoint: Register called twice for %s %q", t.kind, name))
	}
	t.values[name] = value
}

// Lookup returns the value registered under name.
func (t *Table[T]) Lookup(name string) (T, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	v, ok := t.values[name]
	return v, ok
}

// Names returns the registered names, sorted.
func (t *Table[T]) Names() []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Sorted(maps.Keys(t.values))
}

// FindDriver looks a driver up. Its error names the drivers there are.
func FindDriver(t *Table[driver.Driver], name string) (driver.Driver, error) {
	d, ok := t.Lookup(name)
	if ok {
		return d, nil
	}
	registered := "none is registered"
	if names := t.Names(); len(names) > 0 {
		registered = "registered: " + strings.Join(names, ", ")
	}
	if len(name) > 32 { // more likely a DSN, with its password, than a name
		return nil, fmt.Errorf("%w of a name of %d bytes (driver name and DSN exchanged?); %s", ErrUnknownDriver, len(name), registered)
	}
	return nil, fmt.Errorf("%w %q (forgotten import?); %s", ErrUnknownDriver, name, registered)
}

// Package bench compares each driver with the bare client beneath it, on real
// servers, and writes BENCHMARKS.md:
//
//	go test ./internal/bench -run TestWrite -write -timeout 60m
//
// Without -write it makes a short run, which shows that the benchmarks work and
// asserts nothing about time.
package bench

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/agentstate"
	"github.com/go-ckpt/checkpoint/internal/testserver"
)

var (
	write  = flag.Bool("write", false, "write BENCHMARKS.md, with runs of full length")
	length = flag.Duration("length", 2*time.Second, "how long each comparison takes with -write")
	only   = flag.String("only", "", "measure this driver alone")
)

func TestMain(m *testing.M) { testserver.Main(m) }

func TestWrite(t *testing.T) {
	each := 10 * time.Millisecond
	if *write {
		each = *length
	}
	var done []measured
	for _, open := range subjects {
		s, name := (*subject)(nil), ""
		t.Run("subject", func(t *testing.T) {
			s = open(t)
			name = s.name
			if *only != "" && *only != name {
				t.Skip("SKIPPED: -only names another driver")
			}
			done = append(done, measured{subject: s, results: run(t, s, each)})
		})
	}
	done = append(done, measured{results: handle(t, each)})
	if *write {
		require(t, writeReport("../../BENCHMARKS.md", done))
	}
}

type measured struct {
	subject *subject
	results []result
}

// run measures every operation of a subject.
func run(t *testing.T, s *subject, each time.Duration) []result {
	t.Helper()
	ctx := t.Context()
	var all []result
	sizes := s.sizes
	if !*write {
		sizes = sizes[:1]
	}
	for _, size := range sizes {
		// States by chance: databases notice when nothing changes.
		var states [8][]byte
		for i := range states {
			states[i] = agentstate.JSON(size, uint64(i))
		}
		state := func() []byte { return states[mathrand.IntN(len(states))] }
		ids := latestIDs{m: make(map[string]string)}
		for _, callers := range []int{1, 8} {
			one := saver{s.backend, state, 1, rand.Text}
			many := saver{s.backend, state, 20, rand.Text}
			floorSave := func(ctx context.Context, caller, i int) error {
				return s.bare.Save(ctx, thread("save", size, caller, i), state())
			}
			all = append(all, compare(t, "save", size, callers, each, func(ctx context.Context, caller, i int) error {
				_, err := one.save(ctx, thread("save", size, caller, i), driver.Match{})
				return err
			}, floorSave))
			all = append(all, compare(t, "save if match", size, callers, each, func(ctx context.Context, caller, i int) error {
				name := thread("match", size, caller, i)
				match := driver.Match{ID: ids.get(name)}
				match.Absent = match.ID == ""
				info, err := one.save(ctx, name, match)
				ids.set(name, info.ID)
				return err
			}, floorSave))
			all = append(all, compare(t, "save, history 20", size, callers, each, func(ctx context.Context, caller, i int) error {
				_, err := many.save(ctx, thread("history", size, caller, i%5), driver.Match{})
				return err
			}, floorSave))
			for caller := range callers {
				for i := range 100 {
					name := thread("load", size, caller, i)
					_, err := one.save(ctx, name, driver.Match{})
					require(t, err)
					require(t, s.bare.Save(ctx, name, state()))
				}
			}
			all = append(all, compare(t, "load", size, callers, each, func(ctx context.Context, caller, i int) error {
				cp, err := load(ctx, s.backend, thread("load", size, caller, i))
				if err == nil && len(cp.Payload) < size/2 {
					return fmt.Errorf("a payload of %d bytes", len(cp.Payload))
				}
				return err
			}, func(ctx context.Context, caller, i int) error {
				_, err := s.bare.Load(ctx, thread("load", size, caller, i))
				return err
			}))
		}
	}
	return append(all, compare(t, "list a page of 100", 0, 1, each, func(ctx context.Context, caller, i int) error {
		n, err := list(ctx, s.backend, "load/", 100)
		if err == nil && n != 100 {
			return fmt.Errorf("a page of %d threads", n)
		}
		return err
	}, nil))
}

// latestIDs remembers the id that each thread was saved with last.
type latestIDs struct {
	mu sync.Mutex
	m  map[string]string
}

func (l *latestIDs) get(thread string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.m[thread]
}

func (l *latestIDs) set(thread, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.m[thread] = id
}

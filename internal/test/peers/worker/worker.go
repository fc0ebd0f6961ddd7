// Package worker saves and loads states in a store when it is told to, for package peers.
package worker

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

// A Store is what is measured: from the value in the program to the database's answer
// and back.
type Store interface {
	Save(ctx context.Context, thread string, state *agentstate.State) error
	Load(ctx context.Context, thread string, state *agentstate.State) error
}

// Main is the main function of a program that is started as
//
//	PROGRAM DATABASE ADDRESS
//
// It reads lines "OPERATION SIZE CALLERS MILLISECONDS" and answers each with the
// nanoseconds that a call took and the number of calls. With one caller that is the
// median, with several the time divided by the calls of all.
func Main(open func(ctx context.Context, database, address string) (Store, error)) {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: PROGRAM DATABASE ADDRESS")
		os.Exit(2)
	}
	ctx := context.Background()
	s, err := open(ctx, os.Args[1], os.Args[2])
	if err == nil {
		err = serve(ctx, s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, s Store) error {
	sizes := make(map[int]*sized)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var name string
		var size, callers, milliseconds int
		if _, err := fmt.Sscan(lines.Text(), &name, &size, &callers, &milliseconds); err != nil {
			return fmt.Errorf("%q: %w", lines.Text(), err)
		}
		if sizes[size] == nil {
			z, err := newSized(ctx, s, size)
			if err != nil {
				return err
			}
			sizes[size] = z
		}
		op, ok := map[string]operation{"save": sizes[size].save, "load": sizes[size].load}[name]
		if !ok {
			return fmt.Errorf("there is no operation %q", name)
		}
		took, calls, err := measure(ctx, op, callers, time.Duration(milliseconds)*time.Millisecond)
		if err != nil {
			return fmt.Errorf("%s of %d bytes: %w", name, size, err)
		}
		fmt.Println(took.Nanoseconds(), calls)
	}
	return lines.Err()
}

// sized are the states of one size. Saves differ from call to call, for databases notice
// when nothing changes.
type sized struct {
	store  Store
	size   int
	states [8]agentstate.State
}

const threads = 20 // of each caller

// newSized saves what the loads find.
func newSized(ctx context.Context, s Store, size int) (*sized, error) {
	z := &sized{store: s, size: size}
	for i := range z.states {
		z.states[i] = agentstate.New(size, uint64(i))
	}
	for caller := range 8 {
		for i := range threads {
			if err := z.save(ctx, caller, i); err != nil {
				return nil, fmt.Errorf("saving %d bytes: %w", size, err)
			}
		}
	}
	return z, nil
}

func (z *sized) thread(caller, i int) string {
	return fmt.Sprintf("thread-%d-%d-%d", z.size, caller, i%threads)
}

func (z *sized) save(ctx context.Context, caller, i int) error {
	return z.store.Save(ctx, z.thread(caller, i), &z.states[(caller+i)%len(z.states)])
}

func (z *sized) load(ctx context.Context, caller, i int) error {
	var state agentstate.State
	if err := z.store.Load(ctx, z.thread(caller, i), &state); err != nil {
		return err
	}
	if want := z.states[0].Agent; state.Agent != want || len(state.Messages) == 0 && len(state.Notes) == 0 {
		return fmt.Errorf("%s has a state of agent %q", z.thread(caller, i), state.Agent)
	}
	return nil
}

type operation func(ctx context.Context, caller, i int) error

func measure(ctx context.Context, op operation, callers int, length time.Duration) (time.Duration, int64, error) {
	var (
		all    sync.WaitGroup
		calls  atomic.Int64
		failed atomic.Pointer[error]
		first  []time.Duration // the calls of the first caller
	)
	began := time.Now()
	for caller := range callers {
		all.Go(func() {
			for i := 0; time.Since(began) < length && failed.Load() == nil; i++ {
				start := time.Now()
				if err := op(ctx, caller, i); err != nil {
					failed.Store(&err)
					return
				}
				calls.Add(1)
				if caller == 0 {
					first = append(first, time.Since(start))
				}
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	if err := failed.Load(); err != nil {
		return 0, 0, *err
	}
	if callers == 1 {
		slices.Sort(first)
		return first[len(first)/2], calls.Load(), nil
	}
	return took / time.Duration(calls.Load()), calls.Load(), nil
}

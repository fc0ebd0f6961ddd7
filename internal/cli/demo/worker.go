package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-ckpt/checkpoint"
)

// Work runs the agent on a thread until its plan is done: it loads the state if
// there is one, and saves it after every step. It reports what it does as lines
// of fields with tabs between:
//
//	found  VERSION  STEPS DONE       the state that it goes on from; version 0: none
//	start  STEP                      it begins a step, counted from 1
//	saved  STEP  VERSION  BYTES  µs  it has saved after the step; 0 is the plan
//	wrote  REPORT                    the plan is done; the report as a Go string
//
// pause is how long a step takes at least, so that one can watch.
func Work(ctx context.Context, store *checkpoint.Store, thread string, pause time.Duration, events io.Writer) error {
	state, info, err := checkpoint.Get[State](ctx, store, thread)
	switch {
	case errors.Is(err, checkpoint.ErrNotFound):
		state = newState()
	case err != nil:
		return err
	}
	fmt.Fprintf(events, "found\t%d\t%d\n", info.Version, state.next())
	if info.Version == 0 {
		if err := save(ctx, store, thread, &state, events); err != nil {
			return err
		}
	}
	for state.next() < len(state.Plan) {
		fmt.Fprintf(events, "start\t%d\n", state.next()+1)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		state.step()
		if err := save(ctx, store, thread, &state, events); err != nil {
			return err
		}
	}
	fmt.Fprintf(events, "wrote\t%q\n", state.Files["report.md"])
	return nil
}

func save(ctx context.Context, store *checkpoint.Store, thread string, state *State, events io.Writer) error {
	metadata := map[string]string{"step": "make a plan"}
	if i := state.next(); i > 0 {
		metadata["step"] = state.Plan[i-1].Do
	}
	began := time.Now()
	info, err := store.Save(ctx, thread, state, checkpoint.Metadata(metadata))
	if err != nil {
		return err
	}
	fmt.Fprintf(events, "saved\t%d\t%d\t%d\t%d\n", state.next(), info.Version, info.Size, time.Since(began).Microseconds())
	return nil
}

// Timetravel goes back in the history of an agent: it looks at what an agent did,
// finds the step at which it went wrong, tries again from there on a thread of its
// own, and puts the better outcome back.
//
//	go run ./examples/timetravel
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
)

// Plan is the state of the agent.
type Plan struct {
	Steps []string `json:"steps"`
	Cost  int      `json:"cost"`
}

func main() {
	store, err := checkpoint.Open("memory", "?history=all")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	if err := run(context.Background(), store, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, store *checkpoint.Store, out io.Writer) error {
	for _, step := range []struct {
		name string
		cost int
	}{{"train to Lyon", 60}, {"hotel", 90}, {"helicopter", 2000}, {"dinner", 40}} {
		if err := do(ctx, store, "trip", step.name, step.cost); err != nil {
			return err
		}
	}

	// What happened, the newest first: no state is transferred for this.
	for info, err := range store.History(ctx, "trip", checkpoint.HistoryOptions{}) {
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "version %d: %s\n", info.Version, info.Metadata["step"])
	}

	// Which version went wrong? This reads the states, page by page.
	good := int64(0)
	for v, err := range store.Versions(ctx, "trip", checkpoint.VersionsOptions{}) {
		if err != nil {
			return err
		}
		var plan Plan
		if err := v.Decode(&plan); err != nil {
			return err
		}
		if plan.Cost > 500 {
			break
		}
		good = v.Version
	}
	fmt.Fprintf(out, "good until version %d\n", good)

	// Try again from there. The trip itself stays as it is.
	forked, err := store.Fork(ctx, "trip", good, "trip-by-bus")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "forked: version %d, from %s\n", forked.Version, same(ctx, store, good, forked.Metadata["forked_from"]))
	if err := do(ctx, store, "trip-by-bus", "bus", 15); err != nil {
		return err
	}

	// Put the trip itself back to where it was good. Nothing is lost: the version
	// that is given up stays in the history.
	restored, err := store.Restore(ctx, "trip", good)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "restored: version %d is version %s again\n", restored.Version, restored.Metadata["restored_from"])

	for _, thread := range []string{"trip", "trip-by-bus"} {
		plan, _, err := checkpoint.Get[Plan](ctx, store, thread)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %v for %d\n", thread, plan.Steps, plan.Cost)
	}
	return nil
}

// do takes a step, and says which in the metadata of the version.
func do(ctx context.Context, store *checkpoint.Store, thread, step string, cost int) error {
	_, err := checkpoint.Update(ctx, store, thread, func(p *Plan) error {
		p.Steps = append(p.Steps, step)
		p.Cost += cost
		return nil
	}, checkpoint.Metadata(map[string]string{"step": step}))
	return err
}

// same says whether an id is that of a version of the trip.
func same(ctx context.Context, store *checkpoint.Store, version int64, id string) string {
	info, err := store.Find(ctx, "trip", id)
	if err != nil || info.Version != version {
		return "an unknown version"
	}
	return fmt.Sprint("version ", version)
}

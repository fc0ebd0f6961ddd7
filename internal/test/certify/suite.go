package main

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
)

// A form has the beginnings of the names of the cases that are run.
type form []string

// The short form is about whether a save or a deletion takes effect, and which of
// several at once. That a server decides, by how it runs statements beside each other.
// The other cases are about what the driver stores, by the same statements, of which
// the program that follows the suite makes each once. The shortest form is for emulators
// that take a hundredth of a second for a request: it leaves out cases of many requests.
var (
	whole    = form{""}
	short    = form{"Ping/", "Raw/Save/", "Raw/Conditions/", "Raw/Repeat/", "Raw/Deletions/", "Raw/Concurrency/", "Store/Update"}
	shortest = form{"Ping/", "Raw/Save/", "Raw/Conditions/", "Store/Update"}

	forms = map[string]form{"suite": whole, "short": short, "shortest": shortest}
)

func (f form) has(name string) bool {
	return slices.ContainsFunc(f, func(beginning string) bool { return strings.HasPrefix(name, beginning) })
}

// caseLimit is how long a case may take. On a database it is seconds.
const caseLimit = 3 * time.Minute

// suite runs the conformance suite, as checkpoint verify does, and writes what came of
// each case to the standard output.
func suite(url string, limit time.Duration, f form) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	open := func() (b driver.Backend, err error) {
		s, err := checkpoint.OpenURL(url)
		if err != nil {
			return nil, err
		}
		err = s.Raw(func(opened driver.Backend) error {
			b = opened
			return nil
		})
		return b, err
	}
	return runCases(ctx, open, f.has, caseLimit, json.NewEncoder(os.Stdout))
}

// runCases runs cases until ctx ends, and writes what came of each as soon as that is
// known. Where several have hung the suite gives up the rest, which is then begun again.
func runCases(ctx context.Context, open func() (driver.Backend, error), accept func(name string) bool, limit time.Duration, out *json.Encoder) error {
	var failed error
	written := map[string]bool{}
	for again := true; again && failed == nil; {
		again = false
		checkpointtest.Verify(ctx, open, checkpointtest.Timeout(limit),
			checkpointtest.Cases(func(name string) bool { return accept(name) && !written[name] }),
			checkpointtest.Progress(func(r checkpointtest.Result, _, _ int) {
				line := result{Case: r.Case, Rule: r.Rule, Outcome: string(r.Outcome), Reason: r.Reason, Millis: r.Duration.Milliseconds()}
				if r.Outcome == checkpointtest.Failed {
					switch {
					case ctx.Err() != nil || strings.HasPrefix(r.Reason, "still running after "):
						line.Outcome, line.Reason = unfinished, ""
					case strings.HasPrefix(r.Reason, "not run: "):
						again = true
						return
					}
				}
				written[r.Case] = true
				if failed == nil {
					failed = out.Encode(line)
				}
			}))
	}
	return failed
}

// answers waits until a store answers: a server may take connections before that.
func answers(url string) error {
	s, err := checkpoint.OpenURL(url)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		if err = s.Ping(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

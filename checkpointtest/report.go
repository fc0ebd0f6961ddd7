package checkpointtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// An Outcome is how a case ended.
type Outcome string

// The outcomes of a case.
const (
	Passed      Outcome = "passed"
	Failed      Outcome = "failed"
	Unsupported Outcome = "unsupported" // about an optional interface that the backend does not have
)

// A Result is the outcome of one case.
type Result struct {
	Case     string        // its name, "Raw/Save/VersionsCount"
	Rule     int           // the number of the rule in package driver
	Text     string        // the sentence of the rule that the case is about
	Outcome  Outcome       //
	Reason   string        // of a case that did not pass; several lines
	Duration time.Duration //
}

// A Report is what Verify found.
type Report struct {
	Results []Result // in the order of the suite
}

// OK reports whether cases were run and none failed.
func (r Report) OK() bool {
	return len(r.Results) > 0 && r.count(Failed) == 0
}

func (r Report) count(o Outcome) int {
	n := 0
	for _, result := range r.Results {
		if result.Outcome == o {
			n++
		}
	}
	return n
}

// String prints the report as a table with a line for each case, the reasons of
// those that failed, and the totals.
func (r Report) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CASE\tRULE\tOUTCOME\tTIME\t")
	for _, result := range r.Results {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t\n", result.Case, result.Rule, result.Outcome, result.Duration.Round(time.Millisecond))
	}
	w.Flush()
	for _, result := range r.Results {
		if result.Outcome == Failed {
			fmt.Fprintf(&b, "\n%s\nrule %d: %s\n%s\n", result.Case, result.Rule, result.Text, result.Reason)
		}
	}
	fmt.Fprintf(&b, "\n%d passed, %d failed, %d unsupported\n", r.count(Passed), r.count(Failed), r.count(Unsupported))
	return b.String()
}

// Progress calls f after each case of Verify, never twice at a time, with its
// result, the number of cases done and the number there are.
func Progress(f func(r Result, done, total int)) Option {
	return func(s *suite) { s.progress = f }
}

// Verify runs the suite without go test and returns what it found. Each call of
// open MUST return a new handle on the same data, which Verify closes. When the
// first handle cannot be opened or pinged the report holds that failure alone;
// when ctx ends the cases that have not run yet count as failed.
func Verify(ctx context.Context, open func() (driver.Backend, error), opts ...Option) Report {
	s := newSuite(opts)
	s.open = func(testing.TB) (driver.Backend, error) { return open() }
	all := cases()
	done := 0
	var mu sync.Mutex
	run := func(c testCase, r *Result) {
		if err := ctx.Err(); err != nil {
			*r = Result{Case: c.name, Rule: c.rule, Text: c.text, Outcome: Failed, Reason: "not run: " + err.Error()}
		} else {
			*r = s.try(ctx, nil, c)
		}
		mu.Lock()
		defer mu.Unlock()
		done++
		if s.progress != nil {
			s.progress(*r, done, len(all))
		}
	}
	results := make([]Result, len(all))
	for _, group := range groupsOf(all) {
		first := done
		var beside []int
		for i, c := range group.cases {
			if c.alone {
				run(c, &results[first+i])
			} else {
				beside = append(beside, i)
			}
		}
		var wg sync.WaitGroup
		slots := make(chan struct{}, parallel)
		for _, i := range beside {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				run(group.cases[i], &results[first+i])
			})
		}
		wg.Wait()
		if failed := slices.ContainsFunc(results[:done], func(r Result) bool { return r.Outcome == Failed }); failed && group.name == "Ping" {
			return Report{results[:done]}
		}
	}
	return Report{results}
}

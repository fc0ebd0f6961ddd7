package checkpointtest

import (
	"context"
	"fmt"
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
	Note     string        // what a case did less of than it says, because the database is slow
	Duration time.Duration //
}

// callsBefore begins the calls in a reason, which stand behind the first failure.
const callsBefore = "\n\tthe calls before:"

// Brief is the Reason without the calls that came before the failure.
func (r Result) Brief() string {
	before, rest, found := strings.Cut(r.Reason, callsBefore)
	for found {
		var line string
		if line, rest, found = strings.Cut(rest, "\n"); line != "" && !strings.HasPrefix(line, "\t  ") {
			return before + "\n" + line + strings.TrimSuffix("\n"+rest, "\n")
		}
	}
	return before
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
	for _, result := range r.Results {
		if result.Note != "" {
			fmt.Fprintf(&b, "\n%s: %s\n", result.Case, result.Note)
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
	all := s.cases()
	done := 0
	report := func(r Result) {
		done++
		if s.progress != nil {
			s.progress(r, done, len(all))
		}
	}
	var results []Result
	for _, group := range groupsOf(all) {
		results = append(results, s.verify(ctx, group.cases, report)...)
		if group.name == "Ping" && results[0].Outcome == Failed {
			break
		}
	}
	return Report{results}
}

// verify runs cases, several at a time, and reports each as it is over, one at
// a time.
func (s *suite) verify(ctx context.Context, cases []testCase, report func(Result)) []Result {
	results := make([]Result, len(cases))
	var mu sync.Mutex
	run := func(i int) {
		if err := ctx.Err(); err != nil {
			results[i] = cases[i].result(Failed, "not run: "+err.Error())
		} else {
			results[i] = s.try(ctx, nil, cases[i])
		}
		mu.Lock()
		defer mu.Unlock()
		report(results[i])
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i, c := range cases {
		if c.alone {
			wg.Wait()
			run(i)
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			run(i)
		})
	}
	wg.Wait()
	return results
}

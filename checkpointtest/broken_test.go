package checkpointtest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// TestBrokenBackends shows what the suite finds: each of these backends breaks
// one rule in a way that has happened to somebody, and must fail exactly the
// case that is about it, and of those that go through checkpoint.New exactly
// the ones named.
func TestBrokenBackends(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, broken brokenBackend, limit time.Duration, accept func(name string) bool) checkpointtest.Report {
		fault := broken.fault
		if fault == nil {
			fault = broken.withTest(t)
		}
		return checkpointtest.Verify(t.Context(), fault.opener(), checkpointtest.Timeout(limit), checkpointtest.Cases(accept))
	}
	verify := func(t *testing.T, broken brokenBackend, limit time.Duration) checkpointtest.Report {
		return run(t, broken, limit, func(name string) bool {
			return !slices.Contains(heavy, name) || slices.Contains(heavy, broken.fails)
		})
	}
	all := brokenBackends()
	slices.SortStableFunc(all, func(a, b brokenBackend) int { // waited for last
		return strings.Compare(fmt.Sprint(a.hangs), fmt.Sprint(b.hangs))
	})
	hung := make([]chan checkpointtest.Report, len(all))
	for i, broken := range all {
		if broken.hangs { // all at once, since they do nothing but wait
			hung[i] = make(chan checkpointtest.Report, 1)
			go func() { hung[i] <- verify(t, broken, watchdog) }()
		}
	}
	for i, broken := range all {
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel()
			var report checkpointtest.Report
			if broken.hangs {
				report = <-hung[i]
			} else {
				report = verify(t, broken, 5*time.Minute)
			}
			// A fault that shows when goroutines meet in one way only gets further chances.
			for attempt := 0; attempt < 10 && !broken.hangs && !failed(report, broken.fails); attempt++ {
				again := run(t, broken, 5*time.Minute, func(name string) bool { return name == broken.fails })
				report.Results = append(slices.DeleteFunc(report.Results, func(r checkpointtest.Result) bool { return r.Case == broken.fails }), again.Results...)
			}
			var got []string
			reasons := ""
			for _, r := range report.Results {
				if r.Outcome == checkpointtest.Failed {
					got = append(got, r.Case)
					reasons += fmt.Sprintf("\n%s: %.1500s", r.Case, r.Reason)
				}
			}
			want := append([]string{broken.fails}, broken.store...)
			got = slices.DeleteFunc(got, func(name string) bool { return byChance(name) && !slices.Contains(want, name) })
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("failed cases: %q, want %q%s", got, want, reasons)
			}
		})
	}
}

// byChance reports whether a case lets goroutines race: whether a fault that
// another case is about shows in it too depends on how they meet.
func byChance(name string) bool {
	return strings.HasPrefix(name, "Raw/Concurrency/") || strings.HasPrefix(name, "Store/Update") ||
		strings.HasSuffix(name, "/OneOfManyWins") || strings.HasSuffix(name, "/WhileSaving") || strings.HasSuffix(name, "/WhileWriting")
}

// failed reports whether a case failed.
func failed(r checkpointtest.Report, name string) bool {
	return slices.ContainsFunc(r.Results, func(r checkpointtest.Result) bool { return r.Case == name && r.Outcome == checkpointtest.Failed })
}

// heavy are cases about very large states, which only backends that are broken
// in that way need to go through.
var heavy = []string{"Raw/Payload/16MB", "Store/Large"}

// watchdog ends the backends that hang; the other cases take far less.
const watchdog = 15 * time.Second

// brokenBackends returns the tables of the files broken*_test.go.
func brokenBackends() []brokenBackend {
	return slices.Concat(brokenConditions, brokenSaves, brokenPayloads, brokenReads, brokenLists, brokenErrors, brokenOptional)
}

type brokenBackend struct {
	name     string
	fails    string   // the case that must fail
	store    []string // and those under Store
	hangs    bool
	fault    fault
	withTest func(*testing.T) fault // where the fault needs the test
}

// TestEveryCaseCanFail shows that there is a broken backend for every case that
// calls a backend's methods.
func TestEveryCaseCanFail(t *testing.T) {
	t.Parallel()
	var d memory.Driver
	open := func() (driver.Backend, error) { return d.Open("memory:cases") }
	report := checkpointtest.Verify(t.Context(), open, checkpointtest.Cases(func(name string) bool { return !slices.Contains(heavy, name) }))
	for _, r := range report.Results {
		if !strings.HasPrefix(r.Case, "Raw/") {
			continue
		}
		if !slices.ContainsFunc(brokenBackends(), func(b brokenBackend) bool { return b.fails == r.Case }) {
			t.Errorf("no broken backend fails %s", r.Case)
		}
	}
}

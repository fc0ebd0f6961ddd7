package checkpointtest_test

import (
	"context"
	"flag"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// together runs the whole suite against each broken backend, which takes many minutes.
var together = flag.Bool("together", false, "run the other cases against each broken backend too, and not only the one about its fault")

var heavy = checkpointtest.Heavy()

// TestBrokenBackends shows what the suite finds: each of these backends breaks
// one rule in a way that real drivers have done, and fails the case that is about
// it, which runs alone. The score is shown by
//
//	go test ./checkpointtest -run BrokenBackends -v | tail
//
// and -together runs against each all the cases that -short does not leave out, beside
// that one, which must fail. Where the table says which cases alone see the fault, no
// other may fail, and without -short it runs every case.
func TestBrokenBackends(t *testing.T) {
	var caught, ran atomic.Int64
	t.Cleanup(func() {
		t.Logf("%d of %d broken backends are caught by the case that is about their fault", caught.Load(), ran.Load())
	})
	for _, broken := range brokenBackends() {
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel()
			ran.Add(1)
			if broken.caught(t) {
				caught.Add(1)
			}
		})
	}
}

// caught reports whether the case that is about the fault fails.
func (b brokenBackend) caught(t *testing.T) bool {
	open := b.open
	switch {
	case b.fault != nil:
		open = b.fault.opener()
	case b.withTest != nil:
		open = b.withTest(t).opener()
	}
	limit := 5 * time.Minute
	if b.hangs {
		limit = watchdog
	}
	if b.hangs && *together {
		limit = 20 * watchdog // which cases that do not hang keep to
	}
	options := append([]checkpointtest.Option{checkpointtest.Timeout(limit), checkpointtest.Patience(limit),
		checkpointtest.Cases(func(name string) bool {
			return name == b.fails || *together && (!heavy[name] || b.only != nil && !testing.Short())
		})}, b.options...)
	report := checkpointtest.Verify(t.Context(), open, options...)
	var about, failed []checkpointtest.Result
	for _, r := range report.Results {
		if r.Case == b.fails {
			about = append(about, r)
		}
		if r.Outcome == checkpointtest.Failed {
			failed = append(failed, r)
			if b.only != nil && r.Case != b.fails && !slices.Contains(b.only, r.Case) {
				t.Errorf("%s: %s fails, and not only %s: %.2000s", b.name, r.Case, b.fails, r.Reason)
			}
		}
	}
	if len(about) != 1 {
		t.Errorf("there are %d cases called %s, want 1", len(about), b.fails)
		return false
	}
	r := about[0]
	if *together && len(failed) > 0 && failed[0].Case != b.fails {
		t.Logf("%s fails first, of %d cases: %.1000s", failed[0].Case, len(failed), failed[0].Reason)
	}
	if r.Outcome != checkpointtest.Failed || !strings.Contains(r.Reason, b.reason) {
		t.Errorf("%s: %s: %s, want it to fail %s\n%.2000s", b.name, b.fails, r.Outcome, b.reason, r.Reason)
		return false
	}
	if strings.Contains(r.Reason, "still running") != b.hangs {
		t.Errorf("%s hangs: %t, want %t\n%.2000s", b.fails, !b.hangs, b.hangs, r.Reason)
	}
	return true
}

// watchdog ends the backends that hang, which do nothing but wait.
const watchdog = time.Second

// brokenBackends returns the tables of the files broken*_test.go.
func brokenBackends() []brokenBackend {
	return slices.Concat(brokenConditions, brokenDeletions, brokenLogs, brokenSaves, brokenPayloads, brokenReads, brokenLists, brokenErrors, brokenOptional, brokenLong, brokenLoops, brokenBetween)
}

func isAboutPatches(name string) bool { return strings.Contains(name, "/Patches/") }

type brokenBackend struct {
	name     string
	fails    string                 // the case that must fail
	hangs    bool                   // and by its watchdog
	reason   string                 // which stands in what the case says
	only     []string               // cases, of which no other sees the fault in a whole run; nil where others may
	fault    fault                  // one of these three is set
	withTest func(*testing.T) fault // where the fault needs the test
	open     func() (driver.Backend, error)
	options  []checkpointtest.Option
}

// TestEveryCaseCanFail shows that there is a broken backend for every case that
// calls a backend's methods.
func TestEveryCaseCanFail(t *testing.T) {
	t.Parallel()
	var d memory.Driver
	open := func() (driver.Backend, error) { return d.Open("memory:cases") }
	report := checkpointtest.Verify(t.Context(), open, checkpointtest.Cases(func(name string) bool {
		return strings.HasPrefix(name, "Raw/") && !isAboutPatches(name) // see TestBrokenPatchers
	}))
	for _, r := range report.Results {
		if !slices.ContainsFunc(brokenBackends(), func(b brokenBackend) bool { return b.fails == r.Case }) {
			t.Errorf("no broken backend fails %s", r.Case)
		}
	}
}

// TestWallClock shows that a failure names the wall clock where it is the cause.
func TestWallClock(t *testing.T) {
	t.Parallel()
	for fails, broken := range map[string]fault{
		"Raw/Expiry/Load": each(func(f *faulty) {
			f.load = func(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
				req.Now = time.Now()
				return f.full.Load(ctx, req)
			}
		}),
		"Raw/Save/Times": saving(func(req *driver.SaveRequest) { req.Now = time.Now().UTC() }),
	} {
		report := checkpointtest.Verify(t.Context(), broken.opener(), checkpointtest.Cases(func(name string) bool { return name == fails }))
		if text := report.String(); !strings.Contains(text, "likely cause") || !strings.Contains(text, "wall clock") {
			t.Errorf("%s does not name the cause:\n%s", fails, text)
		}
	}
	report := checkpointtest.Verify(t.Context(), loading(func(c *driver.Checkpoint) { c.Version++ }).opener(),
		checkpointtest.Cases(func(name string) bool { return name == "Raw/Save/Info" }))
	if text := report.String(); report.OK() || strings.Contains(text, "likely cause") {
		t.Errorf("a failure that is not about time names a clock:\n%s", text)
	}
}

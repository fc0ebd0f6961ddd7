// Package checkpointtest is the conformance suite for drivers of package
// checkpoint. The whole test of a driver against the rules is
//
//	func TestConformance(t *testing.T) {
//		checkpointtest.Run(t, func(t testing.TB) driver.Backend { return open(t) })
//	}
//
// where each call of open returns a new handle on the same data. The suite may
// run against a database that is in use: every case has a namespace of its
// own, removes what it wrote, and touches nothing else.
//
// A case tests one sentence of the numbered rules in package driver. When it
// fails it says where, what was got and what was wanted, which calls came
// before, and the rule. Its name is stable, so that it can be run again:
//
//	go test -run 'TestConformance/Raw/Conditions/OneOfManyWins'
//
// The cases under Raw call the backend's methods; those under Store go through
// checkpoint.New. Cases about an optional interface that the backend does not
// have are skipped, or fail where [Require] asks for it.
//
// The whole suite makes up to 10,500 writes, of 123 MB together: under ten seconds on a
// database as quick as memory, and under forty on one that waits for its disk, where
// cases about very many of something make fewer of it and say so. -short leaves out the
// cases that write more than 100 times or 4 MB to show that they are right, and repeats
// less often what is left to chance: up to 3,300 writes, of 7 MB.
//
// [Verify] runs the same cases from a program, without go test, to find out
// whether a deployment that has not been tested keeps the rules.
package checkpointtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

// A testCase is one sentence of the rules and the function that tries it.
type testCase struct {
	name  string // stable; the group comes first: "Raw/Save/VersionsCount"
	rule  int    // of package driver; 0 for the contract of driver.Driver
	text  string // the sentence
	needs string // the optional interface it is about: "Purger", …, see Require
	alone bool   // not beside other cases
	heavy bool   // left out by go test -short: it writes more than 100 times, or 4 MB
	run   func(*trial)
}

// broken names the rule that a failure breaks.
func (c testCase) broken() string {
	if c.rule == 0 {
		return "driver.Driver"
	}
	return fmt.Sprint("rule ", c.rule)
}

// result is how the case ended.
func (c testCase) result(o Outcome, reason string) Result {
	return Result{Case: c.name, Rule: c.rule, Text: c.text, Outcome: o, Reason: reason}
}

// cases is the table of contents: each function stands in the file of its
// subject. What others build on comes first, so that the first failure tells most.
func (s *suite) cases() []testCase {
	cases := slices.Concat(
		pingCases(),
		growthCases(), // before the file has grown
		saveCases(),
		payloadCases(),
		historyCases(),
		conditionCases(),
		expiryCases(),
		repeatCases(),
		deletionCases(),
		listCases(),
		nameCases(),
		findCases(),
		versionCases(),
		errorCases(),
		closedCases(),
		concurrencyCases(),
		raceCases(),
		betweenCases(),
		importCases(),
		longHistoryCases(),
		prefixCases(),
		purgeCases(),
		collectCases(),
		namespacesCases(),
		rewriteCases(),
		s.storedCases(),
		patchCases(), // which ends with cases under Store
		storeCases(),
		storeLogCases(),
	)
	if s.unreachable != nil {
		cases = append(cases, unreachableCases()...)
	}
	return slices.DeleteFunc(cases, func(c testCase) bool { return s.accept != nil && !s.accept(c.name) })
}

// An Option changes what Run and Verify do.
type Option func(*suite)

// Require names optional interfaces of package driver that the backend must
// have: "Collector", "Finder", "Importer", "NamespaceLister", "Patcher",
// "PrefixDeleter", "Purger", "Rewriter", "VersionReader". Without one of them the
// cases about it fail, instead of being skipped.
// It panics on any other name.
func Require(names ...string) Option {
	for _, name := range names {
		if !slices.Contains(optionalInterfaces, name) {
			panic(fmt.Sprintf("checkpointtest: Require of %q, which is none of %q", name, optionalInterfaces))
		}
	}
	return func(s *suite) { s.required = append(s.required, names...) }
}

// RequireAll is [Require] with the name of every optional interface, also of
// those that later releases add; but for "Collector", which a backend leaves out
// where its layout leaves nothing to collect.
func RequireAll() Option {
	return Require(slices.DeleteFunc(slices.Clone(optionalInterfaces), func(name string) bool { return name == "Collector" })...)
}

var optionalInterfaces = slices.Sorted(maps.Keys(implements))

// implements tells whether a backend has an optional interface.
var implements = map[string]func(driver.Backend) bool{
	"Collector":       has[driver.Collector],
	"Finder":          has[driver.Finder],
	"Importer":        has[driver.Importer],
	"NamespaceLister": has[driver.NamespaceLister],
	"Patcher":         has[driver.Patcher],
	"PrefixDeleter":   has[driver.PrefixDeleter],
	"Purger":          has[driver.Purger],
	"Rewriter":        has[driver.Rewriter],
	"VersionReader":   has[driver.VersionReader],
}

func has[T any](b driver.Backend) bool {
	_, ok := b.(T)
	return ok
}

// Options are given to checkpoint.New in the cases under Store, after those of
// the case, so that a driver's suite can be run again with compression or
// encryption.
func Options(opts ...checkpoint.Option) Option {
	return func(s *suite) { s.storeOptions = append(s.storeOptions, opts...) }
}

// Cases runs those cases only whose names it accepts.
func Cases(accept func(name string) bool) Option {
	return func(s *suite) { s.accept = accept }
}

// Timeout is how long a case may take before its watchdog fails it and shows
// all goroutines; 2 minutes by default. It is there to end a case that hangs,
// so it should be generous. After three such cases the others are not run.
func Timeout(d time.Duration) Option {
	return func(s *suite) { s.timeout = d }
}

// ListLag is for databases whose indexes follow the data after a while, which
// rule 1 allows to List alone: lists are made no sooner than d after the last
// write of the case.
func ListLag(d time.Duration) Option {
	return func(s *suite) { s.listLag = d }
}

// A suite is what a run was asked for.
type suite struct {
	open         func(testing.TB) (driver.Backend, error)
	required     []string
	unreachable  func(testing.TB) (driver.Backend, error)   // nil unless asked for
	countStored  func(context.Context, string) (int, error) // nil unless given
	late         int                                        // see StoredPayloads
	storeOptions []checkpoint.Option
	accept       func(name string) bool // nil for all
	timeout      time.Duration
	patience     time.Duration // see trial.enough
	listLag      time.Duration
	short        bool // go test -short, see trial.often
	progress     func(Result, int, int)
	hung         atomic.Int32 // cases that the watchdog has ended
	mu           sync.Mutex
	optional     map[string]bool // which optional interfaces the backend has, see has
}

func newSuite(opts []Option) *suite {
	s := &suite{timeout: 2 * time.Minute, patience: 2 * time.Second}
	for _, o := range opts {
		o(s)
	}
	return s
}

// parallel bounds the cases that run at a time: each opens a few handles, and
// each handle may be a pool of connections.
const parallel = 4

// Run runs the suite as subtests of t. Each call of open MUST return a new
// handle on the same data; it may call the methods of the t it is given, and
// the suite closes the handle. Run returns when all cases are over.
func Run(t *testing.T, open func(t testing.TB) driver.Backend, opts ...Option) {
	t.Helper()
	s := newSuite(opts)
	s.short = testing.Short()
	s.open = func(tb testing.TB) (driver.Backend, error) { return open(tb), nil }
	slots := make(chan struct{}, parallel)
	groups := groupsOf(s.cases())
	for _, group := range groups {
		group.failed = make([]bool, len(group.cases))
		ok := t.Run(group.name, func(t *testing.T) {
			for i, c := range group.cases {
				t.Run(strings.TrimPrefix(c.name, group.name+"/"), func(t *testing.T) {
					defer func() { group.failed[i] = t.Failed() }()
					if !c.alone {
						t.Parallel()
					}
					slots <- struct{}{}
					defer func() { <-slots }()
					s.runTest(t, c)
				})
			}
		})
		if i := slices.Index(group.failed, true); i >= 0 && slices.Contains(group.failed[i+1:], true) {
			t.Logf("several cases failed; begin with %s, on which others build", group.cases[i].name)
		}
		if !ok && group.name == "Ping" {
			t.Fatal("the database cannot be reached: the other cases were not run")
		}
	}
}

// runTest runs one case as a test.
func (s *suite) runTest(t *testing.T, c testCase) {
	if c.heavy && s.short {
		t.Skip("left out by -short")
	}
	r := s.try(t.Context(), t, c)
	if r.Note != "" {
		t.Log(r.Note)
	}
	switch {
	case t.Failed() || t.Skipped(): // open has said why
	case r.Outcome == Unsupported:
		t.Skip(r.Reason)
	case r.Outcome == Failed:
		t.Errorf("%s\n%s: %s", r.Reason, c.broken(), c.text)
	}
}

// A group holds the cases whose names begin alike.
type group struct {
	name   string
	cases  []testCase
	failed []bool // by case
}

// groupsOf puts cases into groups by the first part of their names.
func groupsOf(cases []testCase) []group {
	var groups []group
	for _, c := range cases {
		name, _, _ := strings.Cut(c.name, "/")
		if len(groups) == 0 || groups[len(groups)-1].name != name {
			groups = append(groups, group{name: name})
		}
		last := &groups[len(groups)-1]
		last.cases = append(last.cases, c)
	}
	return groups
}

// try runs one case and returns its result.
func (s *suite) try(ctx context.Context, tb testing.TB, c testCase) Result {
	began := time.Now()
	outcome, reason, note := s.outcome(ctx, tb, c)
	r := c.result(outcome, reason)
	r.Note = note
	r.Duration = time.Since(began)
	return r
}

func (s *suite) outcome(ctx context.Context, tb testing.TB, c testCase) (o Outcome, reason, note string) {
	if c.needs != "" {
		has, err := s.has(tb, c.needs)
		switch {
		case err != nil:
			return Failed, fmt.Sprintf("open: %v", err), ""
		case !has && slices.Contains(s.required, c.needs):
			return Failed, fmt.Sprintf("the backend does not implement driver.%s, which is required", c.needs), ""
		case !has && c.needs == "Collector":
			return Passed, "", "" // it says by that that it leaves nothing to collect
		case !has:
			return Unsupported, fmt.Sprintf("the backend does not implement driver.%s", c.needs), ""
		}
	}
	if s.hung.Load() >= mostHung {
		return Failed, fmt.Sprintf("not run: %d cases hang, and may hold what this one would wait for", mostHung), ""
	}
	t := newTrial(ctx, s, tb)
	failures, notes := t.run(c)
	note = strings.Join(notes, "; ")
	if len(failures) > 0 {
		return Failed, strings.Join(failures, "\n") + s.likelyCause(ctx, tb, c), note
	}
	return Passed, "", note
}

// mostHung is how many cases may hang before the others are given up.
const mostHung = 3

// has reports whether the backend implements an optional interface. It opens one handle
// a run to find out.
func (s *suite) has(tb testing.TB, optional string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.optional == nil {
		b, err := s.open(tb)
		if err != nil {
			return false, err
		}
		defer b.Close()
		s.optional = make(map[string]bool)
		for name, has := range implements {
			s.optional[name] = has(b)
		}
	}
	return s.optional[optional], nil
}

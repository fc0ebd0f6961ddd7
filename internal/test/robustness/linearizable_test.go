package robustness

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/go-ckpt/checkpoint/driver"
)

// TestLinearizable lets 8 handles do random operations on a few threads, with
// every fault the system offers, and checks that what they saw can be explained
// by operations that happened one after the other, each at some moment between
// its call and its return. Operations that got no answer may have happened or
// not.
//
// Every other handle saves incrementally, where the driver can.
//
// The clocks of the handles jump by an hour either way. They run two hours ahead
// of the real one, so that a database's own expiry cannot interfere.
func TestLinearizable(t *testing.T) {
	for _, s := range systems {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			seed := seedOf(t)
			total := newVerdict()
			end := time.Now().Add(shortly(*proofDuration, 2*time.Second))
			rebuilt, patches := 0, false
			for inVain := 0; ; rebuilt++ {
				before := total.rounds
				stretch := runStretch(t, func(stretch *stretch) {
					d := s.start(stretch)
					handles := d.handles(stretch, workers)
					_, patches = handles[0].(driver.Patcher)
					explore(stretch, handles, d, seed, end, total)
				})
				if stretch.skipped != "" {
					t.Skip(stretch.skipped)
				}
				if stretch.broken == "" {
					break
				}
				t.Logf("the servers are built anew after %d rounds: %s", total.rounds, stretch.broken)
				if inVain++; total.rounds > before {
					inVain = 0
				}
				if inVain == 3 {
					t.Fatal("three times in a row the servers served no round: nothing is proven")
				}
			}
			t.Log(total)
			if patches && total.counts["patch ok"] == 0 {
				t.Error("no patch was saved: this proves nothing about them")
			}
			if len(total.problems) > 0 {
				t.Fatalf("seed %d, fault %q:\n%s", total.failed, total.fault, strings.Join(total.problems, "\n"))
			}
			if t.Failed() {
				return
			}
			proved(t, "linearizable", s.name, fmt.Sprintf("%d operations in %d rounds, of which %d histories undecided; servers built anew: %d",
				total.operations, total.rounds, total.undecided, rebuilt), seed)
		})
	}
}

// A verdict is what rounds came to.
type verdict struct {
	rounds, operations, undecided int
	counts                        map[string]int // by kind and outcome
	faults                        map[string]int // rounds by fault
	late                          time.Duration
	problems                      []string
	failed                        uint64 // the seed of the round with the problems
	fault                         string // its fault
}

func (v *verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d rounds, %d operations checked, %d histories undecided, latest return %v after a deadline", v.rounds, v.operations, v.undecided, v.late.Round(time.Millisecond))
	for _, counts := range []map[string]int{v.faults, v.counts} {
		b.WriteString("\n\t")
		for _, k := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&b, "%s: %d  ", k, counts[k])
		}
	}
	return b.String()
}

func newVerdict() *verdict {
	return &verdict{counts: map[string]int{}, faults: map[string]int{}}
}

// explore runs rounds until the time is over or a round fails, and adds them to the
// others. The first visits every fault once. A round under which the servers broke
// does not count.
func explore(t testing.TB, handles []driver.Backend, d *deployment, seed uint64, end time.Time, total *verdict) {
	model := linearizability()
	for len(total.problems) == 0 && t.Context().Err() == nil {
		if total.rounds > len(d.faults) && time.Now().After(end) {
			break
		}
		r := &round{t: t, seed: seed + uint64(total.rounds), handles: handles, h: newHistory(threadNames), base: time.Now().Add(2 * time.Hour)}
		r.h.indexLag = d.indexLag
		name, lossy := "none", false
		if i := total.rounds % (len(d.faults) + 1); i > 0 {
			r.fault = &d.faults[i-1]
			name, lossy = r.fault.name, r.fault.lossy
		}
		r.run(t.Context())
		if t.Context().Err() != nil {
			return
		}
		total.rounds++
		total.faults[name]++
		total.fault = name
		total.check(t, r, model, lossy)
	}
}

func (v *verdict) check(t testing.TB, r *round, model porcupine.Model, lossy bool) {
	h := r.h
	v.problems = append(v.problems, h.problems...)
	v.late = max(v.late, h.late)
	for k, n := range h.counts {
		v.counts[k] += n
		v.operations += n
	}
	for _, thread := range h.threads {
		if lossy {
			break
		}
		ops := settled(h.ops[thread], h.indexLag)
		switch porcupine.CheckOperationsTimeout(model, ops, 30*time.Second) {
		case porcupine.Unknown:
			v.undecided++
		case porcupine.Illegal:
			v.problems = append(v.problems, fmt.Sprintf("thread %q is not linearizable:\n%s", thread, explain(t, model, ops)))
		}
	}
	if len(v.problems) > 0 && v.failed == 0 {
		v.failed = r.seed
	}
}

// explain shows a history that cannot be, as a list in the order of calls up to
// the first operation that no order explains, and as a drawing in a file.
func explain(t testing.TB, model porcupine.Model, ops []porcupine.Operation) string {
	ops = slices.Clone(ops)
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	n := 1 + slices.IndexFunc(ops, func(op porcupine.Operation) bool {
		return porcupine.CheckOperationsTimeout(model, until(ops, op.Return), 2*time.Second) == porcupine.Illegal
	})
	shown := ops
	if n > 0 {
		shown = until(ops, ops[n-1].Return)
	}
	var b strings.Builder
	slices.SortFunc(shown, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	for _, op := range shown {
		fmt.Fprintf(&b, "%10d %10d  client %d  %s\n", op.Call/1000, min(op.Return/1000, 9999999999), op.ClientId, describe(op.Input.(call), op.Output.(reply)))
	}
	_, info := porcupine.CheckOperationsVerbose(model, shown, 5*time.Second)
	if dir, err := os.MkdirTemp("", "proof"); err == nil {
		path := filepath.Join(dir, "history.html")
		if porcupine.VisualizePath(model, info, path) == nil {
			fmt.Fprintf(&b, "drawn in %s\n", path)
		}
	}
	return b.String()
}

// until is a history as it was at a moment: what had not returned by then is
// open, and reads that had not are left out.
func until(ops []porcupine.Operation, moment int64) []porcupine.Operation {
	var then []porcupine.Operation
	for _, op := range ops {
		switch kind := op.Input.(call).kind; {
		case op.Call > moment:
			continue
		case op.Return <= moment:
		case kind == "save" || kind == "delete" || kind == "prefix" || kind == "purge":
			op.Return, op.Output = forever, reply{open: true}
		default:
			continue
		}
		then = append(then, op)
	}
	return then
}

// A backend that breaks its promises must be found out: otherwise the tests
// above prove nothing.
func TestCheckerFindsBrokenBackends(t *testing.T) {
	t.Parallel()
	for _, test := range broken {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := startMemory(t)
			handles := d.handles(t, workers)
			for i, b := range handles {
				handles[i] = test.wrap(b, rand.New(rand.NewPCG(1, uint64(i))))
			}
			total := newVerdict()
			explore(t, handles, d, 1, time.Now().Add(20*time.Second), total)
			if len(total.problems) == 0 {
				t.Errorf("not found after %v", total)
			}
		})
	}
}

// TestModel checks the checker's model by hand-made histories.
func TestModel(t *testing.T) {
	t.Parallel()
	a := version{id: "a", saved: 1}
	b := version{id: "b", saved: 2}
	numbered := func(v version, n, created int64) version { v.number, v.created = n, created; return v }
	ok := func(v ...version) reply { return reply{versions: v} }
	at := func(called, returned int64, in call, out reply) porcupine.Operation {
		if in.now == 0 {
			in.now = 1
		}
		in.keep = keep
		return porcupine.Operation{Input: in, Output: out, Call: called, Return: returned}
	}
	save := func(v version, m driver.Match) call { return call{kind: "save", save: v, match: m} }
	load := call{kind: "load"}
	remove := func(m driver.Match) call { return call{kind: "delete", match: m} }
	find := func(id string) call { return call{kind: "find", save: version{id: id}} }
	second := numbered(b, 2, 1)
	first := at(1, 2, save(a, driver.Match{}), ok(numbered(a, 1, 1)))
	next := at(3, 4, save(b, driver.Match{}), ok(second))
	for _, test := range []struct {
		name    string
		history []porcupine.Operation
		want    bool
	}{
		{"read what was saved", []porcupine.Operation{
			at(1, 2, save(a, driver.Match{}), ok(numbered(a, 1, 1))), at(3, 4, load, ok(numbered(a, 1, 1)))}, true},
		{"lost save", []porcupine.Operation{
			at(1, 2, save(a, driver.Match{}), ok(numbered(a, 1, 1))), at(3, 4, load, reply{failed: true})}, false},
		{"stale read", []porcupine.Operation{
			at(1, 2, save(a, driver.Match{}), ok(numbered(a, 1, 1))), at(3, 4, save(b, driver.Match{}), ok(numbered(b, 2, 1))),
			at(5, 6, load, ok(numbered(a, 1, 1)))}, false},
		{"concurrent read of the old", []porcupine.Operation{
			at(1, 2, save(a, driver.Match{}), ok(numbered(a, 1, 1))), at(3, 6, save(b, driver.Match{}), ok(numbered(b, 2, 1))),
			at(4, 5, load, ok(numbered(a, 1, 1)))}, true},
		{"two winners", []porcupine.Operation{
			at(1, 3, save(a, driver.Match{Absent: true}), ok(numbered(a, 1, 1))), at(1, 3, save(b, driver.Match{Absent: true}), ok(numbered(b, 1, 1)))}, false},
		{"open save that was applied", []porcupine.Operation{
			at(1, forever, save(a, driver.Match{}), reply{open: true}), at(3, 4, load, ok(numbered(a, 1, 1)))}, true},
		{"open save that was not", []porcupine.Operation{
			at(1, forever, save(a, driver.Match{}), reply{open: true}), at(3, 4, load, reply{failed: true})}, true},
		{"open save that came and went", []porcupine.Operation{
			at(1, forever, save(a, driver.Match{}), reply{open: true}), at(3, 4, load, ok(numbered(a, 1, 1))), at(5, 6, load, reply{failed: true})}, false},
		{"applied twice", []porcupine.Operation{
			at(1, 2, save(a, driver.Match{}), ok(numbered(a, 1, 1))), at(3, 4, save(a, driver.Match{}), ok(numbered(a, 2, 1)))}, false},
		{"repeated", []porcupine.Operation{
			at(1, 2, save(a, driver.Match{}), ok(numbered(a, 1, 1))), at(3, 4, save(a, driver.Match{Absent: true}), ok(numbered(a, 1, 1)))}, true},
		{"no conflict of its own", []porcupine.Operation{
			at(1, 2, save(a, driver.Match{Absent: true}), reply{failed: true})}, false},
		{"save on its version", []porcupine.Operation{first,
			at(3, 4, save(b, driver.Match{Version: 1}), ok(second))}, true},
		{"save on another version", []porcupine.Operation{first,
			at(3, 4, save(b, driver.Match{Version: 2}), ok(second))}, false},
		{"save of what exists", []porcupine.Operation{first,
			at(3, 4, save(b, driver.Match{Exists: true}), ok(second))}, true},
		{"save of what does not exist", []porcupine.Operation{
			at(1, 2, save(a, driver.Match{Exists: true}), ok(numbered(a, 1, 1)))}, false},
		{"another state with the same id", []porcupine.Operation{first,
			at(3, 4, save(version{id: "a", saved: 2}, driver.Match{Version: 7}), ok(numbered(a, 1, 1)))}, true},
		{"another state with the same id that is saved", []porcupine.Operation{first,
			at(3, 4, save(version{id: "a", saved: 2}, driver.Match{}), ok(numbered(version{id: "a", saved: 2}, 2, 1)))}, false},
		{"deletion on its version", []porcupine.Operation{first,
			at(3, 4, remove(driver.Match{Version: 1}), ok()), at(5, 6, load, reply{failed: true})}, true},
		{"deletion on another id", []porcupine.Operation{first, at(3, 4, remove(driver.Match{ID: "b"}), ok())}, false},
		{"deletion of nothing", []porcupine.Operation{at(1, 2, remove(driver.Match{Exists: true}), ok())}, false},
		{"refused deletion that removes", []porcupine.Operation{first,
			at(3, 4, remove(driver.Match{ID: "b"}), reply{failed: true}), at(5, 6, load, reply{failed: true})}, false},
		{"deletion that is refused without reason", []porcupine.Operation{first,
			at(3, 4, remove(driver.Match{Exists: true}), reply{failed: true})}, false},
		{"find", []porcupine.Operation{first, next, at(5, 6, find("a"), ok(numbered(a, 1, 1)))}, true},
		{"find of another", []porcupine.Operation{first, next, at(5, 6, find("a"), ok(second))}, false},
		{"find that misses", []porcupine.Operation{first, at(3, 4, find("a"), reply{failed: true})}, false},
		{"versions", []porcupine.Operation{first, next, at(5, 6, call{kind: "versions"}, ok(numbered(a, 1, 1), second))}, true},
		{"versions, the newest", []porcupine.Operation{first, next,
			at(5, 6, call{kind: "versions", descending: true, number: 1}, ok(second))}, true},
		{"versions from the second", []porcupine.Operation{first, next,
			at(5, 6, call{kind: "versions", from: 2}, ok(numbered(a, 1, 1), second))}, false},
		{"versions to the first", []porcupine.Operation{first, next,
			at(5, 6, call{kind: "versions", to: 1}, ok(numbered(a, 1, 1), second))}, false},
		{"versions that miss one", []porcupine.Operation{first, next, at(5, 6, call{kind: "versions"}, ok(second))}, false},
		{"versions beside a save", []porcupine.Operation{first, at(3, 6, save(b, driver.Match{}), ok(second)),
			at(4, 5, call{kind: "versions"}, ok(second))}, true},
		{"versions of nothing beside a save", []porcupine.Operation{at(1, 6, save(a, driver.Match{}), ok(numbered(a, 1, 1))),
			at(2, 3, call{kind: "versions"}, ok(second))}, false},
		{"deletion by prefix", []porcupine.Operation{first, at(3, 4, call{kind: "prefix"}, ok()), at(5, 6, load, reply{failed: true})}, true},
		{"deletion by prefix that misses one", []porcupine.Operation{first,
			at(3, 4, call{kind: "prefix"}, ok()), at(5, 6, load, ok(numbered(a, 1, 1)))}, false},
		{"deletion by prefix beside a save", []porcupine.Operation{first, at(3, 6, save(b, driver.Match{}), ok(second)),
			at(4, 5, call{kind: "prefix"}, ok()), at(7, 8, load, ok(second))}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := porcupine.CheckOperations(linearizability(), settled(test.history, false)); got != test.want {
				t.Errorf("linearizable = %v, want %v", got, test.want)
			}
		})
	}
}

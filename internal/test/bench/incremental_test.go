package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
	"github.com/go-ckpt/checkpoint/zstd"
)

// incrementalGoals are the ratios of an incremental run to one of whole states.
var incrementalGoals = map[string]struct{ written, stored, time float64 }{
	"SQLite":     {1. / 50, 1. / 10, 1. / 3},
	"Redis":      {1. / 50, 1. / 10, 1},
	"PostgreSQL": {1. / 50, 1. / 20, 1. / 8},
	"DynamoDB":   {1. / 50, 1. / 10, 1. / 8},
}

// incremental saves a conversation as it grows, once whole and once incrementally, into
// two stores that take turns, and conversations in the shape of recorded runs.
func incremental(t *testing.T, open func(*testing.T, purpose) *subject) section {
	t.Helper()
	const history = 50
	whole, patched := open(t, growing), open(t, growing)
	if _, ok := whole.backend.(driver.Patcher); !ok {
		t.Skip("SKIPPED: the driver keeps no patches")
	}
	w := newGrower(t, whole, history)
	p := newGrower(t, patched, history, checkpoint.WithIncremental())
	conversation := []byte("[")
	for i := range *steps {
		if i > 0 {
			conversation = append(conversation, ',')
		}
		conversation = append(conversation, agentstate.JSON(2<<10, uint64(i))...)
		state := append(slices.Clone(conversation), ']')
		w.save(t, "conversation", state)
		p.save(t, "conversation", state)
	}
	last := append(slices.Clone(conversation), ']')
	wholeLoad, patchedLoad := w.loads(t, p, last, false)
	wholeDecoded, patchedDecoded := w.loads(t, p, last, true)
	goals := incrementalGoals[whole.name]
	out := section{
		title: whole.name + ", incremental saves",
		about: fmt.Sprintf("A conversation of %d steps of 2 KB more each, history %d, saved whole and with `WithIncremental`, in turns. States are encoded "+
			"beforehand, and loaded by a store that remembers nothing. A target is the most that the ratio should be.", *steps, history),
		text:  fmt.Sprintf("Bytes are counted as in %q.", whole.name+", a growing conversation"),
		table: "| | whole | incremental | ratio | target | |\n|---|---:|---:|---:|---:|---|\n",
	}
	row := func(name string, whole, patched float64, unit func(float64) string, goal float64) {
		if whole == 0 {
			return
		}
		ratio, target, met := patched/whole, "", ""
		if goal > 0 {
			target, met = fraction(goal), verdict(ratio <= goal)
		}
		out.table += fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", name, unit(whole), unit(patched), fraction(ratio), target, met)
	}
	duration := func(n float64) string { return short(time.Duration(n)) }
	row("payloads", float64(w.payloads), float64(p.payloads), megabytes, 0)
	row("written", float64(w.written), float64(p.written), megabytes, goals.written)
	row("stored", w.stored(t, last), p.stored(t, last), megabytes, goals.stored)
	row("time of all saves", float64(w.sum()), float64(p.sum()), duration, goals.time)
	row("median of a save", float64(w.percentile(50)), float64(p.percentile(50)), duration, 0)
	row("p99 of a save", float64(w.percentile(99)), float64(p.percentile(99)), duration, 0)
	row("p99 of a save, beside the median of whole ones", float64(w.percentile(50)), float64(p.percentile(99)), duration, 2)
	row("last load", float64(wholeLoad), float64(patchedLoad), duration, 1.3)
	row("last load and decoding the JSON", float64(wholeDecoded), float64(patchedDecoded), duration, 1.3)
	for _, c := range futile() {
		w, p := newGrower(t, whole, 1), newGrower(t, patched, 1, checkpoint.WithIncremental())
		for i := range min(*steps, 100) {
			w.save(t, c.name, c.states[i%len(c.states)])
			p.save(t, c.name, c.states[i%len(c.states)])
		}
		row(c.name+": written", float64(w.written), float64(p.written), megabytes, 1.05)
	}

	runs := 3
	if !*write {
		runs = 1
	}
	compressed := newGrower(t, whole, history, checkpoint.WithCompression(zstd.Compressor))
	both := newGrower(t, patched, history, checkpoint.WithIncremental(), checkpoint.WithCompression(zstd.Compressor))
	w, p = newGrower(t, whole, history), newGrower(t, patched, history, checkpoint.WithIncremental())
	for run := range runs {
		var state bytes.Buffer
		for i, m := range agentstate.Recording(uint64(run)) {
			if i == *steps {
				break
			}
			one, err := json.Marshal(m)
			require(t, err)
			if state.Len() == 0 {
				state.WriteByte('[')
			} else {
				state.Truncate(state.Len() - 1)
				state.WriteByte(',')
			}
			state.Write(append(one, ']'))
			for name, g := range map[string]*grower{"whole": w, "patched": p, "compressed": compressed, "both": both} {
				g.save(t, fmt.Sprint("run-", name, "-", run), state.Bytes())
			}
		}
	}
	row("recorded runs: payloads, whole beside compressed patches", float64(w.payloads), float64(both.payloads), megabytes, 1./120)
	row("recorded runs: payloads, compressed", float64(compressed.payloads), float64(both.payloads), megabytes, 1./15)
	row("recorded runs: written, neither compressed", float64(w.written), float64(p.written), megabytes, 0)
	row("recorded runs: written, whole beside compressed patches", float64(w.written), float64(both.written), megabytes, 0)
	row("recorded runs: written, both compressed", float64(compressed.written), float64(both.written), megabytes, 0)
	row("recorded runs: time of all saves, both compressed", float64(compressed.sum()), float64(both.sum()), duration, 0)
	t.Logf("%s\n%s", whole.name, out.table)
	out.results = besides(t, patched)
	return out
}

// A changing state is one of those between which a patch saves nothing.
type changing struct {
	name   string
	states [][]byte
}

func futile() []changing {
	small, random := changing{name: "small states"}, changing{name: "random changes"}
	source := rand.NewChaCha8([32]byte{})
	for i := range 8 {
		small.states = append(small.states, agentstate.JSON(2<<10, uint64(i)))
		state := make([]byte, 100<<10)
		source.Read(state)
		random.states = append(random.states, state)
	}
	return []changing{small, random}
}

// besides compares incremental saves with whole ones where they gain nothing, and
// where workers compete for a thread. Both are in one database: in two of them that
// have grown differently, memory, files and logs that are there already count more
// than what the saves do.
func besides(t *testing.T, s *subject) (results []result) {
	t.Helper()
	open := func(name string, opts ...checkpoint.Option) *checkpoint.Store {
		return checkpoint.New(s.backend, append(opts, checkpoint.WithNamespace(namespace+"-"+name))...)
	}
	w, p := open("whole"), open("incremental", checkpoint.WithIncremental())
	for _, c := range futile() {
		save := func(s *checkpoint.Store) operation {
			return func(ctx context.Context, _, i int) error {
				_, err := s.Save(ctx, "besides", checkpoint.Bytes(c.states[i%len(c.states)]))
				return err
			}
		}
		r := compare(t, "save, "+c.name+", beside whole", len(c.states[0]), 1, *length, save(p), save(w))
		r.Target = 1.05
		results = append(results, r)
	}
	const size = 100 << 10
	state := agentstate.New(size, 1)
	update := func(s *checkpoint.Store) operation {
		_, err := s.Save(t.Context(), "updated", state)
		require(t, err)
		return func(ctx context.Context, _, _ int) error {
			_, err := checkpoint.Update(ctx, s, "updated", func(state *agentstate.State) error {
				state.Step++
				return nil
			})
			return err
		}
	}
	r := compare(t, "Update of one thread, beside whole", size, 5, 2**length, update(p), update(w))
	r.Target = 1
	return append(results, r)
}

func megabytes(n float64) string { return fmt.Sprintf("%.1f MB", n/(1<<20)) }

// fraction shows a small ratio as one over something.
func fraction(r float64) string {
	if r > 0 && r < 0.5 {
		return fmt.Sprintf("1/%.1f", 1/r)
	}
	return fmt.Sprintf("%.2f", r)
}

// A grower saves growing states through a store and counts what that costs.
type grower struct {
	subject  *subject
	store    *checkpoint.Store
	took     []time.Duration
	written  int64
	payloads int64
}

func newGrower(t *testing.T, s *subject, history int, opts ...checkpoint.Option) *grower {
	t.Helper()
	store := checkpoint.New(s.backend, append(opts, checkpoint.WithNamespace(namespace), checkpoint.WithHistory(history))...)
	require(t, store.Ping(t.Context()))
	return &grower{subject: s, store: store}
}

func (g *grower) save(t *testing.T, thread string, state []byte) {
	t.Helper()
	before, err := g.subject.written(t.Context())
	require(t, err)
	began := time.Now()
	info, err := g.store.Save(t.Context(), thread, checkpoint.Bytes(state))
	g.took = append(g.took, time.Since(began))
	require(t, err)
	after, err := g.subject.written(t.Context())
	require(t, err)
	g.written += after - before
	g.payloads += int64(info.Size)
}

func (g *grower) sum() (sum time.Duration) {
	for _, d := range g.took {
		sum += d
	}
	return sum
}

func (g *grower) percentile(n int) time.Duration {
	sorted := slices.Sorted(slices.Values(g.took))
	return sorted[min(len(sorted)*n/100, len(sorted)-1)]
}

// loads returns the medians of loads of the conversation, one store after the other, as
// bytes or decoded as a program has it.
func (g *grower) loads(t *testing.T, other *grower, want []byte, decode bool) (ours, others time.Duration) {
	t.Helper()
	load := func(g *grower) operation {
		store := checkpoint.New(g.subject.backend, checkpoint.WithNamespace(namespace))
		return func(ctx context.Context, _, _ int) error {
			var state checkpoint.Bytes
			_, err := store.Load(ctx, "conversation", &state)
			if err == nil && !bytes.Equal(state, want) {
				err = fmt.Errorf("%s: another state was loaded", g.subject.name)
			}
			if err == nil && decode {
				var states []agentstate.State
				err = json.Unmarshal(state, &states)
			}
			return err
		}
	}
	ours, others, _ = alternate(t, *length/4, load(g), load(other))
	return ours, others
}

// stored returns the bytes that the database takes. Where the bare client's state is
// taken off them, it is there.
func (g *grower) stored(t *testing.T, last []byte) float64 {
	t.Helper()
	if g.subject.name == "Redis" {
		require(t, g.subject.bare.Save(t.Context(), "conversation", last))
	}
	n, err := g.subject.stored(t.Context())
	require(t, err)
	return float64(n)
}

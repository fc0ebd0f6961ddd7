package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

func newBench(a *app) *cobra.Command {
	b := benchmark{app: a}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure saves, loads and lists of the store",
		Long: `Bench measures how many saves, loads and lists of 100 threads a second the store
does, and how long they take: the median, and what 95 and 99 of 100 stay below.
The states are like those that agents save. It saves as the store's URL says,
works in a namespace of its own and removes that afterwards.

With --incremental it also measures saves that write what changed, and loads of
what they have saved: of states of 100,000 bytes unless --size says otherwise, in
which a message comes and a counter changes from one save to the next.

With --bare it also measures the database's own client, doing the least that
moves the same bytes, for SQLite, PostgreSQL, DynamoDB and a single Redis server;
it makes a table, or keys, of its own for that and removes them.`,
		Example: `  checkpoint bench --duration 10s --concurrency 16
  checkpoint bench --size 100000 --bare
  checkpoint bench --incremental`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if b.incremental && !cmd.Flags().Changed("size") {
				b.size = 100_000
			}
			if b.size < 1 || b.size > 1<<30 || b.callers < 1 || b.callers > 10_000 || b.duration < time.Millisecond {
				return usagef("bench wants a --size from 1 to %d, a --concurrency from 1 to 10000 and a --duration of at least 1ms", 1<<30)
			}
			return b.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&b.size, "size", 2_000, "`BYTES` of a state, about")
	flags.IntVar(&b.callers, "concurrency", 8, "callers at a time")
	flags.DurationVar(&b.duration, "duration", 3*time.Second, "how long each operation is measured")
	flags.BoolVar(&b.incremental, "incremental", false, "measure incremental saves, too")
	flags.BoolVar(&b.bare, "bare", false, "measure the database's bare client, too")
	return cmd
}

// A benchmark is one run of bench.
type benchmark struct {
	*app
	size     int
	callers  int
	duration time.Duration
	bare     bool

	incremental bool
	written     atomic.Int64 // bytes that incremental saves stored

	bar *progress
}

// A measurement is of one operation.
type measurement struct {
	name      string
	latencies latencies
	took      time.Duration
	stored    int64 // bytes that a save stored on average, where that is told
}

// benchThreads is how many threads are saved, loaded and listed.
const benchThreads = 100

func (b *benchmark) run(ctx context.Context) (err error) {
	src := b.source(true)
	var opts []checkpoint.Option
	if _, ok := src.word("history"); !ok {
		opts = append(opts, checkpoint.WithHistory(1)) // what an application has by default
	}
	if _, ok := src.word("max_state_size"); !ok {
		opts = append(opts, checkpoint.WithMaxStateSize(max(2*b.size, checkpoint.DefaultMaxStateSize)))
	}
	if b.incremental {
		opts = append(opts, checkpoint.WithIncrementalMemory(2*benchThreads*int64(b.size+agentstate.MinSize)))
	}
	opened, err := src.open(opts...)
	if err != nil {
		return err
	}
	defer opened.Close()
	store := opened.Namespace("checkpoint-bench-" + strings.ToLower(rand.Text()[:10]))
	if err := store.Ping(ctx); err != nil {
		return err
	}

	defer func() {
		// Also after Ctrl-C; not for ever.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		for i := range benchThreads {
			for _, thread := range []string{benchThread(i), growingThread(i)} {
				if cleanErr := store.Delete(clean, thread); cleanErr != nil {
					err = errors.Join(err, fmt.Errorf("removing what was saved: %w", cleanErr))
					return
				}
				if !b.incremental {
					break
				}
			}
		}
		if ctx.Err() != nil {
			b.note("what was saved has been removed; run bench again, with a shorter --duration perhaps")
		}
	}()

	states := [2]agentstate.State{agentstate.New(b.size, 1), agentstate.New(b.size, 2)}
	operations := []operation{
		{"save", func(ctx context.Context, i int) error {
			_, err := store.Save(ctx, benchThread(i), states[benchRound(i)])
			return err
		}},
		{"load", func(ctx context.Context, i int) error {
			var loaded agentstate.State
			_, err := store.Load(ctx, benchThread(i), &loaded)
			return err
		}},
		{"list", func(ctx context.Context, i int) error {
			for _, err := range store.List(ctx, checkpoint.ListOptions{Limit: benchThreads}) {
				if err != nil {
					return err
				}
			}
			return nil
		}},
	}
	if b.incremental {
		patching := opened.Namespace(store.InNamespace(), checkpoint.WithIncremental())
		operations = append(operations, b.incrementalOperations(patching)...)
	}
	if b.bare {
		more, remove, err := bareOperations(ctx, src, [2][]byte{agentstate.JSON(b.size, 1), agentstate.JSON(b.size, 2)})
		if err != nil {
			return err
		}
		defer remove()
		operations = append(operations, more...)
	}
	return b.measureAll(ctx, operations)
}

// An operation is done for i = 0, 1, 2 and so on.
type operation struct {
	name string
	do   func(ctx context.Context, i int) error
}

// benchThread names the thread of the operation i: one after the other, round and
// round.
func benchThread(i int) string { return fmt.Sprintf("thread-%03d", i%benchThreads) }

// benchRound is 0 and 1 in turns. What is saved again must differ: SQLite, for one,
// writes nothing for a row that stays as it is.
func benchRound(i int) int { return i / benchThreads % 2 }

func (b *benchmark) measureAll(ctx context.Context, operations []operation) error {
	b.bar = b.progress("measuring", int64(len(operations))*b.duration.Milliseconds())
	defer b.bar.finish()
	var results []measurement
	for i, op := range operations {
		for thread := range benchThreads { // everything is there, and warm
			if err := op.do(ctx, thread); err != nil {
				return err
			}
		}
		m, err := b.measure(ctx, op, int64(i)*b.duration.Milliseconds())
		if err != nil {
			return err
		}
		results = append(results, m)
	}
	b.bar.finish()
	return b.print(results)
}

// measure has the callers do an operation for as long as it is measured.
func (b *benchmark) measure(ctx context.Context, op operation, shown int64) (measurement, error) {
	m := measurement{name: op.name}
	b.written.Store(0)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed error
	began := time.Now()
	for caller := range b.callers {
		wg.Go(func() {
			var own latencies
			var err error
			for i := benchThreads + caller; err == nil && time.Since(began) < b.duration; i += b.callers {
				start := time.Now()
				if err = op.do(ctx, i); err == nil {
					own.add(time.Since(start))
				}
				if caller == 0 {
					b.bar.set(shown + time.Since(began).Milliseconds())
				}
			}
			mu.Lock()
			defer mu.Unlock()
			m.latencies.merge(&own)
			if failed == nil {
				failed = err
			}
		})
	}
	wg.Wait()
	m.took = time.Since(began)
	if n := b.written.Load(); n > 0 && m.latencies.count > 0 {
		m.stored = n / m.latencies.count
	}
	return m, failed
}

func (b *benchmark) print(results []measurement) error {
	table := b.table(
		terminal.Column{Title: "OPERATION", Flex: true},
		terminal.Column{Title: "A SECOND", Right: true},
		terminal.Column{Title: "MEDIAN", Right: true},
		terminal.Column{Title: "95 %", Right: true},
		terminal.Column{Title: "99 %", Right: true},
		terminal.Column{Title: "SLOWEST", Right: true})
	for _, m := range results {
		l := &m.latencies
		rate := float64(l.count) / m.took.Seconds()
		var err error
		if b.json {
			err = b.printJSON(struct {
				Operation   string  `json:"operation"`
				Size        int     `json:"size"`
				Concurrency int     `json:"concurrency"`
				Count       int64   `json:"count"`
				PerSecond   float64 `json:"per_second"`
				Stored      int64   `json:"stored_bytes,omitempty"`
				P50US       int64   `json:"p50_us"`
				P95US       int64   `json:"p95_us"`
				P99US       int64   `json:"p99_us"`
				MaxUS       int64   `json:"max_us"`
			}{m.name, b.size, b.callers, l.count, rate, m.stored, l.quantile(0.5).Microseconds(), l.quantile(0.95).Microseconds(),
				l.quantile(0.99).Microseconds(), l.longest.Microseconds()})
		} else {
			err = table.Row(m.name, human.Number(int64(rate+0.5)), milliseconds(l.quantile(0.5)), milliseconds(l.quantile(0.95)),
				milliseconds(l.quantile(0.99)), milliseconds(l.longest))
		}
		if err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, m := range results {
		if m.stored > 0 {
			b.note("%s stored %s on average", m.name, human.Size(m.stored))
		}
	}
	b.note("states of about %s, %s at a time, %v each", human.Size(int64(b.size)), human.Count(int64(b.callers), "caller"), b.duration)
	return nil
}

func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 2, 64) + " ms"
}

package sqlite_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

// BenchmarkFloor measures the driver beside the fewest statements that move
// the same bytes with the same durability through database/sql: one prepared
// UPSERT in a transaction, or one prepared SELECT. Both take turns, and what
// is reported as "ratio" is that of their medians.
//
//	go test -run '^$' -bench Floor ./drivers/sqlite
func BenchmarkFloor(b *testing.B) {
	for _, size := range []int{2 << 10, 100 << 10, 1 << 20} {
		name := func(op string) string { return fmt.Sprintf("%s/%dKB", op, size>>10) }
		b.Run(name("Save"), func(b *testing.B) {
			d, f := newSides(b, size)
			compare(b, d.save(1), f.save)
		})
		b.Run(name("SaveHistory20"), func(b *testing.B) {
			d, f := newSides(b, size)
			for range 25 * threads {
				d.save(20)()
			}
			compare(b, d.save(20), f.save)
		})
		b.Run(name("History20ToHistory1"), func(b *testing.B) {
			d, _ := newSides(b, size)
			d1, _ := newSides(b, size)
			for range 25 * threads {
				d.save(20)()
			}
			compare(b, d.save(20), d1.save(1))
		})
		b.Run(name("SaveIfMatch"), func(b *testing.B) {
			d, f := newSides(b, size)
			compare(b, d.saveIfMatch, f.save)
		})
		b.Run(name("Load"), func(b *testing.B) {
			d, f := newSides(b, size)
			for range threads {
				d.save(1)()
				f.save()
			}
			compare(b, d.load, f.load)
		})
		b.Run(name("Save8Callers"), func(b *testing.B) {
			d, f := newSides(b, size)
			compare(b, together(8, d.save(1)), together(8, f.save))
		})
		b.Run(name("Load8Callers"), func(b *testing.B) {
			d, f := newSides(b, size)
			for range threads {
				d.save(1)()
				f.save()
			}
			compare(b, together(8, d.load), together(8, f.load))
		})
	}
}

// compare calls both in turn and reports their medians and the ratio.
func compare(b *testing.B, ours, floor func()) {
	for range 8 {
		ours()
		floor()
	}
	var times [2][]time.Duration
	for b.Loop() {
		for i, f := range []func(){ours, floor} {
			start := time.Now()
			f()
			times[i] = append(times[i], time.Since(start))
		}
	}
	median := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2]) / 1000
	}
	o, f := median(times[0]), median(times[1])
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(o, "µs")
	b.ReportMetric(f, "floor-µs")
	b.ReportMetric(o/f, "ratio")
}

// together has n callers call f at the same time, each some times.
func together(n int, f func()) func() {
	return func() {
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				for range 8 {
					f()
				}
			})
		}
		wg.Wait()
	}
}

// threads is how many threads the savers go round in.
const threads = 16

// newSides opens the two things to compare, each with a file of its own.
func newSides(b *testing.B, size int) (*ours, *bare) {
	b.Helper()
	var states [][]byte // their sizes differ a little, as those of real ones do
	for i := range 8 {
		states = append(states, agentstate.JSON(size+i*size/100, uint64(i)))
	}
	dir := b.TempDir()
	d := &ours{rounds: rounds{states: states}, b: b, ctx: b.Context(), backend: open(b, filepath.Join(dir, "ours.db"))}
	d.ids = make([]string, threads)
	f := &bare{rounds: rounds{states: states}, b: b, ctx: b.Context(), db: given(b, "file:"+filepath.Join(dir, "floor.db")+
		"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)", 1)}
	f.prepare(`CREATE TABLE t (namespace TEXT NOT NULL, thread TEXT NOT NULL, state TEXT NOT NULL, saved INTEGER NOT NULL, PRIMARY KEY (namespace, thread))`)
	return d, f
}

// rounds hands out threads and states in turn.
type rounds struct {
	mu     sync.Mutex
	n      int
	states [][]byte
}

func (r *rounds) next() (thread int, state []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	return r.n % threads, r.states[r.n/threads%len(r.states)] // each thread changes at each save
}

func (r *rounds) key() driver.Key {
	thread, _ := r.next()
	return driver.Key{Namespace: "agents", Thread: fmt.Sprint("thread-", thread)}
}

type ours struct {
	rounds
	b       *testing.B
	ctx     context.Context
	backend driver.Backend
	ids     []string
}

func (d *ours) save(keep int) func() {
	return func() {
		thread, state := d.next()
		d.do(thread, state, keep, driver.Match{})
	}
}

func (d *ours) saveIfMatch() {
	thread, state := d.next()
	d.do(thread, state, 1, driver.Match{ID: d.ids[thread]})
}

func (d *ours) do(thread int, state []byte, keep int, match driver.Match) {
	id := rand.Text()
	_, err := d.backend.Save(d.ctx, driver.SaveRequest{
		Key: driver.Key{Namespace: "agents", Thread: fmt.Sprint("thread-", thread)}, ID: id,
		Payload: state, Encoding: "json", Now: time.Now().UTC().Truncate(time.Microsecond), Keep: keep, Match: match,
	})
	if err != nil {
		d.b.Error(err)
	}
	if match.ID != "" || keep == 1 && d.ids[thread] == "" {
		d.ids[thread] = id
	}
}

func (d *ours) load() {
	c, err := d.backend.Load(d.ctx, driver.LoadRequest{Key: d.key(), Now: time.Now()})
	if err != nil || len(c.Payload) == 0 {
		d.b.Errorf("Load: %v, %v", c, err)
	}
}

type bare struct {
	rounds
	b        *testing.B
	ctx      context.Context
	db       *sql.DB
	put, get *sql.Stmt
}

func (f *bare) prepare(schema string) {
	_, err := f.db.Exec(schema)
	if err == nil {
		f.put, err = f.db.Prepare(`INSERT INTO t VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state, saved = excluded.saved`)
	}
	if err == nil {
		f.get, err = f.db.Prepare(`SELECT state, saved FROM t WHERE namespace = ? AND thread = ?`)
	}
	if err != nil {
		f.b.Fatal(err)
	}
}

func (f *bare) save() {
	thread, state := f.next()
	tx, err := f.db.BeginTx(f.ctx, nil)
	if err == nil {
		_, err = tx.StmtContext(f.ctx, f.put).ExecContext(f.ctx, "agents", fmt.Sprint("thread-", thread), string(state), time.Now().UnixMicro())
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		f.b.Error(err)
	}
}

func (f *bare) load() {
	key := f.key()
	var state []byte
	var saved int64
	if err := f.get.QueryRowContext(f.ctx, key.Namespace, key.Thread).Scan(&state, &saved); err != nil || len(state) == 0 {
		f.b.Errorf("%d bytes, %v", len(state), err)
	}
}

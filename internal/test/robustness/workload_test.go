package robustness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

const (
	workers     = 8
	operations  = 30 // of each worker in a round
	keep        = 3
	maxOpen     = 3 // impatient operations of a worker in a round
	callTimeout = 10 * time.Second
	patience    = 45 * time.Second // an outage that lasts longer is a failure
)

// hostile names of threads, so that mistaken identity shows.
var threadNames = []string{"a", "a:1", "a%_*'\"{x}\n#é"}

// A round is a number of workers, each with its own handle, that work on the
// threads of a namespace of their own.
type round struct {
	t       testing.TB
	seed    uint64
	handles []driver.Backend
	h       *history
	base    time.Time
	fault   *fault
	abandon context.CancelFunc // ends the round early
}

// A worker is one client. Its clock stands still during an operation. Every other
// one saves incrementally, where the driver can.
type worker struct {
	*round
	id        int
	random    *rand.Rand
	recorder  *recorder
	store     *checkpoint.Store
	clock     time.Time
	impatient int

	incremental bool

	last  driver.SaveRequest
	seen  map[string]checkpoint.Info
	count int
}

type state struct {
	N      int
	Worker int
	Pad    string
}

// run returns when all workers are done and the fault is mended.
func (r *round) run(ctx context.Context) {
	ctx, r.abandon = context.WithCancel(ctx)
	defer r.abandon()
	namespace := fmt.Sprintf("round-%d", r.seed)
	var workersDone, faultDone sync.WaitGroup
	faulty, calm := context.WithCancel(ctx)
	defer calm()
	if r.fault != nil {
		random := rand.New(rand.NewPCG(r.seed, 1000))
		faultDone.Go(func() {
			for range 2 {
				select {
				case <-time.After(time.Duration(random.IntN(100)) * time.Millisecond):
					r.fault.strike(faulty, random, namespace)
				case <-faulty.Done():
					return
				}
			}
		})
	}
	for id := range workers {
		w := r.worker(id, namespace)
		workersDone.Go(func() {
			for range operations {
				if ctx.Err() != nil {
					return
				}
				w.operate(ctx)
			}
		})
	}
	workersDone.Wait()
	calm()
	faultDone.Wait()

	// What was acknowledged must be there when all is over.
	last := r.worker(workers, namespace)
	last.clock = r.base
	for _, thread := range r.h.threads {
		last.wait(ctx, thread)
		last.store.Load(ctx, thread, new(any))
		for range last.store.History(ctx, thread, checkpoint.HistoryOptions{}) {
		}
	}
}

func (r *round) worker(id int, namespace string) *worker {
	w := &worker{
		round: r, id: id, random: rand.New(rand.NewPCG(r.seed, uint64(id))), seen: map[string]checkpoint.Info{},
		recorder: &recorder{Backend: r.handles[id%len(r.handles)], h: r.h, client: id},
	}
	backend, opts := driver.Backend(lastSave{w.recorder, w}), []checkpoint.Option{
		checkpoint.WithNamespace(namespace), checkpoint.WithHistory(keep), checkpoint.WithClock(func() time.Time { return w.clock }),
	}
	if _, ok := w.recorder.Backend.(driver.Patcher); ok && id%2 == 1 {
		w.incremental = true
		backend, opts = patchRecorder{lastSave{w.recorder, w}}, append(opts, checkpoint.WithIncremental())
	}
	w.store = checkpoint.New(backend, opts...)
	return w
}

// lastSave remembers a worker's last save, so that it can be repeated.
type lastSave struct {
	*recorder
	w *worker
}

func (l lastSave) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	l.w.last = req
	return l.recorder.Save(ctx, req)
}

// operate does one random operation.
func (w *worker) operate(ctx context.Context) {
	thread := w.h.threads[w.random.IntN(len(w.h.threads))]
	w.clock = w.base.Add(time.Duration(w.random.IntN(1000)) * time.Microsecond)
	switch w.random.IntN(8) { // the application's clock jumps, and jumps back
	case 0:
		w.clock = w.clock.Add(time.Hour)
	case 1:
		w.clock = w.clock.Add(-time.Hour)
	}
	whole := ctx
	var end context.CancelFunc
	if w.random.IntN(10) == 0 && w.impatient < maxOpen {
		w.impatient++
		ctx, end = context.WithTimeout(ctx, time.Duration(w.random.IntN(2000))*time.Microsecond)
	} else {
		ctx, end = context.WithTimeout(ctx, callTimeout)
	}
	defer end()
	w.count++
	state := state{N: w.count, Worker: w.id, Pad: strings.Repeat("x", w.padding())}
	opts := []checkpoint.SaveOption{checkpoint.ExpiresIn([]time.Duration{0, 0, 30 * time.Minute, 90 * time.Minute}[w.random.IntN(4)])}
	if w.random.IntN(4) == 0 {
		opts = append(opts, checkpoint.Metadata(map[string]string{"by": fmt.Sprint(w.id), "ü'": "\n%"}))
	}
	choice := w.random.IntN(130)
	known := w.seen[thread]
	event := fmt.Sprint("event-", w.random.IntN(6)) // an id that others use too

	var info checkpoint.Info
	var err error
	switch {
	case choice < 22:
		info, err = w.store.Save(ctx, thread, state, opts...)
	case choice < 37 && known.ID != "":
		info, err = w.store.Save(ctx, thread, state, append(opts, checkpoint.IfMatch(known.ID))...)
	case choice < 45:
		info, err = w.store.Save(ctx, thread, state, append(opts, checkpoint.IfAbsent())...)
	case choice < 49:
		info, err = w.store.Save(ctx, thread, checkpoint.Bytes(state.Pad), opts...)
	case choice < 53 && w.last.ID != "":
		info, err = w.recorder.Save(ctx, w.last) // as after a lost reply
		thread = w.last.Thread
	case choice < 57 && known.Version > 0:
		info, err = w.store.Restore(ctx, thread, max(1, known.Version-int64(w.random.IntN(keep+1))))
	case choice < 61:
		info, err = checkpoint.Update(ctx, w.store, thread, func(v *any) error { *v = state; return nil }, opts...)
	case choice < 66:
		err = w.store.Delete(ctx, thread)
		delete(w.seen, thread)
	case choice < 67:
		_, err = w.store.Purge(ctx)
	case choice < 72:
		info, err = w.store.Stat(ctx, thread)
	case choice < 77 && known.Version > 0:
		_, err = w.store.LoadVersion(ctx, thread, max(1, known.Version-int64(w.random.IntN(keep+1))), new(any))
	case choice < 82:
		for _, e := range w.store.History(ctx, thread, checkpoint.HistoryOptions{}) {
			err = e
		}
	case choice < 86:
		for _, e := range w.store.List(ctx, checkpoint.ListOptions{}) {
			err = e
		}
	case choice < 92:
		info, err = w.store.Save(ctx, thread, state, append(opts, checkpoint.IfVersion(known.Version))...)
	case choice < 95:
		info, err = w.store.Save(ctx, thread, state, append(opts, checkpoint.IfExists())...)
	case choice < 99:
		info, err = w.store.Save(ctx, thread, state, append(opts, checkpoint.WithID(event))...)
	case choice < 102:
		info, err = w.store.Save(ctx, thread, state, append(opts, checkpoint.WithID(event), checkpoint.IfVersion(known.Version))...)
	case choice < 107:
		conditions := []checkpoint.Condition{checkpoint.IfExists()}
		if known.Version > 0 {
			conditions = append(conditions, checkpoint.IfMatch(known.ID), checkpoint.IfVersion(known.Version))
		}
		if err = w.store.Delete(ctx, thread, conditions[w.random.IntN(len(conditions))]); err == nil {
			delete(w.seen, thread)
		}
	case choice < 108:
		_, err = w.store.DeletePrefix(ctx, []string{"a", "a:", "a%", "b"}[w.random.IntN(4)])
	case choice < 111:
		_, err = w.store.Find(ctx, thread, event)
	case choice < 113 && known.ID != "":
		_, err = w.store.Find(ctx, thread, known.ID)
	case choice < 120:
		o := checkpoint.VersionsOptions{Newest: w.random.IntN(2) == 0, Limit: w.random.IntN(keep)}
		if w.random.IntN(2) == 0 {
			o.From = max(0, known.Version-int64(w.random.IntN(keep)))
			o.To = o.From + int64(w.random.IntN(keep))
		}
		for _, e := range w.store.Versions(ctx, thread, o) {
			err = e
		}
	default:
		info, err = w.store.Load(ctx, thread, new(any))
	}
	if info.Version > 0 {
		w.seen[thread] = info
	}
	var conflict *checkpoint.ConflictError
	if errors.As(err, &conflict) {
		w.seen[thread] = conflict.Current
	}
	if errors.Is(err, checkpoint.ErrCorrupt) {
		w.h.problem("%v", err) // a chain that does not fit together, for what the backend says is looked at already
	}
	if uncertain(err) {
		end()
		w.afterFailure(whole, thread)
	}
}

// afterFailure waits until the database answers again, so that one outage leaves
// one operation of each worker open and not hundreds. Then it may try the save
// once more, as applications do.
func (w *worker) afterFailure(ctx context.Context, thread string) {
	failed := w.last
	w.wait(ctx, thread)
	if failed.ID != "" && w.random.IntN(2) == 0 {
		ctx, end := context.WithTimeout(ctx, callTimeout)
		defer end()
		w.recorder.Save(ctx, failed)
	}
}

// wait returns when the database has answered.
func (w *worker) wait(ctx context.Context, thread string) {
	for give := time.Now().Add(patience); ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		ctx, end := context.WithTimeout(ctx, 2*time.Second)
		_, err := w.store.Stat(ctx, thread)
		end()
		if !uncertain(err) {
			return
		}
		if time.Now().After(give) {
			w.h.problem("no answer for %v: %v", patience, err)
			w.abandon()
		}
	}
}

// padding is mostly small and now and then larger than what fits into one item
// or page; where states are patched, it is mostly enough for that.
func (w *worker) padding() int {
	if w.incremental && w.random.IntN(4) > 0 {
		return 5_000
	}
	switch w.random.IntN(50) {
	case 0:
		return 450_000
	case 1, 2, 3, 4:
		return 9_000
	}
	return 10
}

// Package takeover brings states that other programs have saved into a store: from
// a folder of JSON files, from JSON Lines, from a query of one's own, and, in
// package agentspersistence, from the Redis of the Rust crate of that name.
//
//	db, err := sql.Open("postgres", "postgres://localhost/old")
//	…
//	stats, err := takeover.Into(ctx, store, takeover.Query(ctx, db,
//		"SELECT session, state, saved FROM sessions ORDER BY session, saved"))
//
// What package checkpoint has written itself is moved with checkpoint.Copy.
package takeover

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint"
)

// A State is what another program has saved of one thread at one time.
type State struct {
	Thread string
	// JSON is the state, saved as it is: no number is rounded, no key left out.
	JSON json.RawMessage
	// SavedAt becomes the time of the version, and that of a thread's first state
	// the thread's; zero is the time of the takeover.
	SavedAt time.Time
	// ExpiresAt is when the thread expires; zero leaves it to the store's TTL.
	ExpiresAt time.Time
}

// Stats count what a takeover has done.
type Stats struct {
	Threads int64 // threads that dst has from these states
	States  int64 // states saved, or found to be there from an earlier run
	Skipped int64 // threads left as they are, because dst had them already
	Expired int64 // states left out because they have expired
	Refused int64 // states left out because dst cannot keep them
}

// Into saves states in the namespace of dst: the first of a thread as its version 1,
// and each further one as the next version. Those of one thread come in the order of
// their versions, with those of other threads between them or not. The settings of
// dst hold: encryption, compression and history, and its TTL for a state without an
// expiry of its own, counted from SavedAt.
//
// It never overwrites. A thread that dst has already is left as it is, unless it came
// by an earlier run over the same states: then what is left is added. So a takeover
// can be run again after an interruption. A thread that gets saves of its own while
// its states come is skipped from there on.
//
// A state that cannot be kept is left out, because its thread has a name that none
// can have, or because it is no JSON or too large; the others are taken over, and the
// error at the end tells of the first ten and matches what they match. An error that
// states yields, or one of the database, ends the takeover after what came before has
// been saved. The stats count what was done in every case. Memory grows with the
// names of the threads, and holds two states for each of the 8 that are saved at a
// time.
func Into(ctx context.Context, dst *checkpoint.Store, states iter.Seq2[State, error]) (Stats, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var workers [8]worker
	var wg sync.WaitGroup
	for i := range workers {
		w := &workers[i]
		*w = worker{dst: dst, todo: make(chan State, 1), threads: map[string]*progress{}}
		wg.Go(func() {
			if err := w.run(ctx); err != nil {
				stop(err)
			}
			for range w.todo { // what is left when one has failed
			}
		})
	}
	seed := maphash.MakeSeed()
	var failed error
feed:
	for s, err := range states {
		if err != nil {
			failed = err
			break
		}
		select {
		case workers[maphash.String(seed, s.Thread)%uint64(len(workers))].todo <- s:
		case <-ctx.Done():
			break feed
		}
	}
	for i := range workers {
		close(workers[i].todo)
	}
	wg.Wait()
	if failed == nil {
		failed = context.Cause(ctx)
	}
	var stats Stats
	var refused []error
	for i := range workers {
		workers[i].addTo(&stats)
		refused = append(refused, workers[i].refused...)
	}
	if len(refused) > 0 {
		refused = append(refused[:min(len(refused), mostRefused)], failed)
		failed = fmt.Errorf("%d states cannot be kept: %w", stats.Refused, errors.Join(refused...))
	}
	return stats, failed
}

// mostRefused is how many refusals an error tells of.
const mostRefused = 10

// A worker saves the states of some of the threads, one after the other.
type worker struct {
	dst     *checkpoint.Store
	todo    chan State
	threads map[string]*progress
	stats   Stats
	refused []error
}

// progress is how far a thread has come.
type progress struct {
	came    uint64    // states
	saved   bool      // dst has one of them
	version int64     // of the last that dst has
	expires time.Time // when the thread does, by that

	// present is the id that dst had where a state should have gone. States are
	// passed over up to the one that has it, to which an earlier run has come; where
	// none has, the thread is of another origin.
	present string
}

func (w *worker) addTo(s *Stats) {
	s.States += w.stats.States
	s.Expired += w.stats.Expired
	s.Refused += w.stats.Refused
	for _, p := range w.threads {
		switch {
		case p.present != "":
			s.Skipped++
		case p.saved:
			s.Threads++
		}
	}
}

func (w *worker) run(ctx context.Context) error {
	for s := range w.todo {
		if ctx.Err() != nil {
			return nil
		}
		switch err := w.save(ctx, s); {
		case err == nil:
		case errors.Is(err, checkpoint.ErrInvalid), errors.Is(err, checkpoint.ErrTooLarge):
			w.stats.Refused++
			if len(w.refused) < mostRefused {
				w.refused = append(w.refused, err)
			}
		default:
			return err
		}
	}
	return nil
}

func (w *worker) save(ctx context.Context, s State) error {
	now := time.Now()
	if !s.ExpiresAt.IsZero() && !s.ExpiresAt.After(now) {
		w.stats.Expired++
		return nil
	}
	p := w.threads[s.Thread]
	if p == nil {
		p = new(progress)
		w.threads[s.Thread] = p
	}
	p.came++
	id := idOf(p.came, s)
	switch p.present {
	case "":
	case id:
		p.present, p.saved = "", true
		w.stats.States++
		return nil
	default:
		return nil
	}

	dst, at := w.dst, now
	if !s.SavedAt.IsZero() && s.SavedAt.Before(now) {
		at = s.SavedAt
		dst = dst.Namespace(dst.InNamespace(), checkpoint.WithClock(func() time.Time { return at }))
	}
	if !p.expires.IsZero() && !p.expires.After(at) {
		p.version = 0 // a new life
	}
	opts := []checkpoint.SaveOption{checkpoint.WithID(id), checkpoint.IfVersion(p.version)}
	if !s.ExpiresAt.IsZero() {
		opts = append(opts, checkpoint.ExpiresIn(s.ExpiresAt.Sub(at)))
	}
	info, err := dst.Save(ctx, s.Thread, s.JSON, opts...)
	if conflict, ok := errors.AsType[*checkpoint.ConflictError](err); ok {
		p.version, p.expires = conflict.Current.Version, conflict.Current.ExpiresAt
		p.present = cmp.Or(conflict.Current.ID, "deleted") // which is no id of a takeover
		return nil
	}
	if err != nil {
		return err
	}
	p.version, p.expires = info.Version, info.ExpiresAt
	if !p.expires.IsZero() && !p.expires.After(now) { // by the TTL of dst
		w.stats.Expired++
		return nil
	}
	p.saved = true
	w.stats.States++
	return nil
}

// idOf is the id of the n-th state of a thread: a run that comes again recognises
// by it what it has saved before.
func idOf(n uint64, s State) string {
	h := sha256.New()
	binary.Write(h, binary.BigEndian, n)
	h.Write(s.JSON)
	return "takeover-" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:20])
}

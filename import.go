package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
)

// ImportStats count what an [Import] has done.
type ImportStats struct {
	CopyStats
	Expired int64 // threads left out because they have expired
}

// Import writes checkpoints that come from elsewhere, such as a file, to the
// database of dst as they are: each with its id, version, times, metadata, payload
// and namespace, whatever dst's own namespace is. Of each thread they come one
// after the other, the oldest version first.
//
// It never overwrites, as [Copy] does not, so that it can be run again after an
// interruption and does only what is left: a thread that dst has at the same or a
// higher version is skipped, and one that dst has at a lower version is continued.
// A thread of which nothing but an expired checkpoint is left to write is left out.
// The history setting of dst holds. Where a [Store.Purge] of dst removes a thread between
// two versions, which it does while the first of them has expired, the import ends with
// ErrUnavailable, and nothing of that thread is there: run again it brings all of it.
//
// An error that checkpoints yields ends the import, after everything that came
// before has been written, and is returned as it is. The stats count what was done
// also when Import fails. Memory is bounded by two checkpoints for each of the 8
// threads that are written at a time.
func Import(ctx context.Context, dst *Store, checkpoints iter.Seq2[driver.Checkpoint, error]) (ImportStats, error) {
	im := importing{dst: dst}
	err := im.run(ctx, checkpoints)
	return im.stats, err
}

type importing struct {
	dst      *Store
	importer driver.Importer

	mu    sync.Mutex
	stats ImportStats
}

// importers is how many threads are imported at a time.
const importers = 8

func (im *importing) run(ctx context.Context, checkpoints iter.Seq2[driver.Checkpoint, error]) error {
	err := im.dst.check(ctx)
	if err == nil {
		im.importer, err = importerOf(im.dst)
	}
	if err == nil {
		_, err = im.dst.begin(ctx)
	}
	if err != nil {
		return im.dst.fail("import", "", err)
	}
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	lanes := make([]chan arrival, importers)
	for i := range lanes {
		lanes[i] = make(chan arrival, 1)
		wg.Go(func() {
			l := lane{importing: im}
			for a := range lanes[i] {
				if running.Err() != nil {
					continue
				}
				if err := l.add(running, a); err != nil {
					cancel(err)
				}
			}
			l.finish()
		})
	}
	broken := im.distribute(running, checkpoints, lanes)
	for _, l := range lanes {
		close(l)
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return im.dst.fail("import", "", err)
	}
	if cause := context.Cause(running); cause != nil {
		return cause
	}
	return broken
}

// importerOf returns the store's backend as the optional interface.
func importerOf(s *Store) (driver.Importer, error) {
	i, ok := s.conn.backend.(driver.Importer)
	if !ok {
		return nil, unsupported("Importer")
	}
	return i, nil
}

// An arrival is a checkpoint on its way into the store.
type arrival struct {
	driver.Checkpoint
	last bool // of its thread
}

// distribute hands each thread to one of the lanes. It looks one checkpoint ahead,
// to tell which is the last of its thread.
func (im *importing) distribute(ctx context.Context, checkpoints iter.Seq2[driver.Checkpoint, error], lanes []chan arrival) error {
	next := 0
	send := func(a arrival) bool {
		select {
		case lanes[next] <- a:
		case <-ctx.Done():
			return false
		}
		if a.last {
			next = (next + 1) % len(lanes)
		}
		return true
	}
	var held *arrival
	for cp, err := range checkpoints {
		if held != nil {
			held.last = err == nil && cp.Key != held.Key
			if !send(*held) {
				return nil
			}
		}
		if err != nil {
			return err
		}
		held = &arrival{Checkpoint: cp}
	}
	if held != nil {
		held.last = true
		send(*held)
	}
	return nil
}

// A lane imports one thread after the other.
type lane struct {
	*importing
	key     driver.Key // the thread that is imported now
	there   Info       // its latest checkpoint in the store before; the zero Info when absent
	prev    Info       // the version that was written last
	skip    bool       // the rest of the thread is left out
	expired bool       // because it has expired
}

// add writes one checkpoint, unless the store has it, or something newer, or
// something else in its place.
func (l *lane) add(ctx context.Context, cp arrival) error {
	dst := l.dst
	if err := checkImport(cp.Checkpoint); err != nil {
		return dst.fail("import", cp.Thread, err)
	}
	if err := names.CheckNamespace(cp.Namespace); err != nil {
		return dst.fail("import", cp.Thread, err)
	}
	view := dst.Namespace(cp.Namespace)
	if cp.Key != l.key {
		l.finish()
		there, err := view.stat(ctx, cp.Thread)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return dst.fail("import", cp.Thread, err)
		}
		l.key, l.there, l.prev, l.skip, l.expired = cp.Key, there, Info{}, false, false
	}
	if l.skip || cp.Version < l.there.Version {
		return nil
	}
	if cp.Version == l.there.Version {
		l.skip = cp.ID != l.there.ID // the thread has gone its own way
		return nil
	}
	now, err := dst.clock()
	if err != nil {
		return dst.fail("import", cp.Thread, err)
	}
	if cp.last && l.prev.Version == 0 && cp.Expired(now) {
		l.skip, l.expired = true, true
		return nil
	}
	switch err := view.putAfter(ctx, l.importer, cp.Checkpoint, l.prev); {
	case errors.Is(err, ErrConflict):
		l.skip = true // another program saved meanwhile
		return nil
	case err != nil:
		return dst.fail("import", cp.Thread, fmt.Errorf("version %d: %w", cp.Version, err))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.prev.Version == 0 {
		l.stats.Threads++
	}
	l.stats.Checkpoints++
	l.stats.Bytes += int64(len(cp.Payload))
	l.prev = cp.Info
	return nil
}

// finish counts the thread if nothing of it was written.
func (l *lane) finish() {
	if l.key == (driver.Key{}) || l.prev.Version > 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.expired {
		l.stats.Expired++
	} else {
		l.stats.Skipped++
	}
}

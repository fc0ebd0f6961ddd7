package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
)

// CopyOptions choose what [Copy] copies; the zero value is the latest checkpoint
// of every thread.
type CopyOptions struct {
	Prefix      string          // only threads whose name starts with these bytes
	History     bool            // every kept version, as far as the destination's history reaches
	Concurrency int             // threads at a time; 0 for 64
	Progress    func(CopyStats) // called after every step, never concurrently
}

// CopyStats count what a [Copy] has done.
type CopyStats struct {
	Threads     int64 // threads of which a checkpoint was written
	Checkpoints int64 // checkpoints written
	Skipped     int64 // threads that the destination has at the same or a higher version
	Bytes       int64 // bytes of the payloads written
}

func (s *CopyStats) add(more CopyStats) {
	s.Threads += more.Threads
	s.Checkpoints += more.Checkpoints
	s.Skipped += more.Skipped
	s.Bytes += more.Bytes
}

// Copy copies the threads of src's namespace to dst's. Checkpoints keep their
// ids, versions, times, expiry and metadata; dst's own history setting holds.
//
// It never overwrites: a thread that dst has at the same or a higher version is
// skipped, and one that dst has at a lower version is continued. So it can be
// run again, after an interruption or to catch up, and does only what is left.
//
// Of one thread the versions are written one after the other. Where a [Store.Purge] of
// dst removes it in between, which it does while the version that was written last has
// expired, the thread is begun anew, and counted anew; ErrUnavailable after ten times.
//
// Payloads move as they are stored, and no key is needed for encrypted ones,
// unless dst compresses or encrypts, or an encrypted payload changes its
// namespace, which it is bound to: then they are decoded with src's settings and
// encoded with dst's. What was saved as a patch ([WithIncremental]) arrives as a whole
// state, which needs the key where it is encrypted.
//
// Memory is bounded by Concurrency states, and where these are large by 64 MiB of
// them, or one. The stats count what was done also when Copy fails. An error that
// matches errors.ErrUnsupported says that the driver of dst cannot import.
func Copy(ctx context.Context, dst, src *Store, opts CopyOptions) (CopyStats, error) {
	c := copying{dst: dst, src: src, opts: opts}
	err := c.run(ctx)
	return c.stats, err
}

type copying struct {
	dst, src *Store
	opts     CopyOptions
	importer driver.Importer

	mu    sync.Mutex
	stats CopyStats
}

func (c *copying) run(ctx context.Context) error {
	for _, s := range []*Store{c.dst, c.src} {
		if err := s.check(ctx); err != nil {
			return s.fail("copy", "", err)
		}
	}
	var err error
	if c.importer, err = importerOf(c.dst); err != nil {
		return c.dst.fail("copy", "", err)
	}
	infos, err := c.src.list(ctx, ListOptions{Prefix: c.opts.Prefix})
	if err != nil {
		return c.src.fail("copy", "", err)
	}
	err = eachThread(ctx, infos, c.opts.Concurrency, c.thread)
	if err != nil && !errors.As(err, new(*Error)) {
		err = c.src.fail("copy", "", err)
	}
	return err
}

// copyAttempts is how often a thread is begun that is removed from dst while it is
// copied.
const copyAttempts = 10

// thread copies what dst lacks of one thread.
func (c *copying) thread(ctx context.Context, latest Info) error {
	for range copyAttempts {
		removed, err := c.versions(ctx, latest)
		if !removed || err != nil {
			return err
		}
	}
	return c.dst.fail("copy", latest.Thread, errRemoved)
}

// versions copies what dst lacks of one thread, version by version, and reports
// whether the thread has been removed from dst in between.
func (c *copying) versions(ctx context.Context, latest Info) (removed bool, err error) {
	first, err := c.first(ctx, latest)
	if err != nil {
		return false, err
	}
	if first > latest.Version {
		c.count(CopyStats{Skipped: 1})
		return false, nil
	}
	var written CopyStats
	var prev Info // the version that was written last
	for v := first; v <= latest.Version; v++ {
		cp, err := c.src.fetch(ctx, latest.Thread, v, driver.Previous{})
		switch {
		case errors.Is(err, ErrNotFound) || err == nil && !cp.CreatedAt.Equal(latest.CreatedAt):
			continue // trimmed, or deleted, since it was listed
		case err != nil:
			return false, c.src.fail("copy", latest.Thread, err)
		}
		size, err := c.put(ctx, cp, prev)
		switch {
		case errors.Is(err, errRemoved):
			c.count(CopyStats{Threads: -1, Checkpoints: -written.Checkpoints, Bytes: -written.Bytes})
			return true, nil
		case errors.Is(err, ErrConflict):
			if written.Threads == 0 {
				c.count(CopyStats{Skipped: 1})
			}
			return false, nil // another program saved to dst meanwhile
		case err != nil:
			return false, err
		}
		step := CopyStats{Threads: 1 - written.Threads, Checkpoints: 1, Bytes: size}
		c.count(step)
		written.add(step)
		prev = cp.Info
	}
	return false, nil
}

// first returns the lowest version of a thread that is to be copied; one above
// the latest when there is nothing to do.
func (c *copying) first(ctx context.Context, latest Info) (int64, error) {
	there, err := c.dst.stat(ctx, latest.Thread)
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return 0, c.dst.fail("copy", latest.Thread, err)
	case err == nil && there.Version >= latest.Version:
		return latest.Version + 1, nil
	case !c.opts.History:
		return latest.Version, nil
	}
	first := latest.Version
	infos, err := c.src.history(ctx, latest.Thread, HistoryOptions{Before: latest.Version})
	if err != nil {
		return 0, c.src.fail("copy", latest.Thread, err)
	}
	for info, err := range infos {
		if err != nil {
			return 0, c.src.fail("copy", latest.Thread, err)
		}
		if info.Version <= there.Version || latest.Version-info.Version >= int64(c.dst.keep) {
			break
		}
		first = info.Version
	}
	return first, nil
}

// put imports one checkpoint of src into dst, after prev, and returns the bytes
// written.
func (c *copying) put(ctx context.Context, cp driver.Checkpoint, prev Info) (int64, error) {
	whole, err := c.src.Whole(cp)
	if err != nil {
		return 0, err
	}
	cp = whole
	p := payload{cp.Payload, cp.Encoding}
	to := place{key: c.dst.key(cp.Thread), id: cp.ID}
	if c.dst.compressor != nil || c.dst.aead != nil || p.sealed() && to.key != cp.Key {
		if p, err = c.src.unpack(cp); err != nil {
			return 0, c.src.fail("copy", cp.Thread, fmt.Errorf("version %d: %w", cp.Version, err))
		}
		if p, err = c.dst.pack(p, to); err != nil {
			return 0, c.dst.fail("copy", cp.Thread, err)
		}
	}
	cp.Key, cp.Payload, cp.Encoding, cp.Size, cp.Digest = to.key, p.data, p.encoding, len(p.data), ""
	if err := checkImport(cp); err != nil {
		return 0, c.src.fail("copy", cp.Thread, err)
	}
	if err := c.dst.putAfter(ctx, c.importer, cp, prev); err != nil {
		return 0, c.dst.fail("copy", cp.Thread, err)
	}
	return int64(len(p.data)), nil
}

// errRemoved is the error of a version that was to go on from one that is not there
// any more.
var errRemoved = fmt.Errorf("%w: the thread was removed between two of its versions, as a Purge does where the first of them has expired: copy or import again while nothing purges", ErrUnavailable)

// putAfter hands the driver one checkpoint of a thread of which prev, or the zero
// Info, was the last one handed over. It is errRemoved where that is gone.
func (s *Store) putAfter(ctx context.Context, importer driver.Importer, cp driver.Checkpoint, prev Info) error {
	now, err := s.begin(ctx)
	if err != nil {
		return err
	}
	if prev.Expired(now) {
		// What was recorded with an older version has no effect on the thread,
		// and must not make it look like a former life.
		now = prev.ExpiresAt.Add(-time.Microsecond)
	}
	err = importer.Import(ctx, driver.ImportRequest{Checkpoint: cp, Now: now, Keep: s.keep, Match: driver.Match{ID: prev.ID}})
	if conflict, ok := errors.AsType[*ConflictError](err); ok && prev.ID != "" && conflict.Current.Version == 0 {
		return errRemoved
	}
	return err
}

// checkImport returns an error if a checkpoint that a driver returned is not one
// that another driver may be given.
func checkImport(cp driver.Checkpoint) error {
	if err := names.CheckThread(cp.Thread); err != nil {
		return err
	}
	if err := names.CheckMetadata(cp.Metadata); err != nil {
		return err
	}
	if !isID(cp.ID) || cp.Version < 1 || cp.Version > driver.MaxVersion || cp.Encoding == "" {
		return fmt.Errorf("%w: version %d has no valid id, version or encoding", ErrCorrupt, cp.Version)
	}
	if cp.Base != 0 {
		return fmt.Errorf("%w: version %d is a patch and no whole state", ErrInvalid, cp.Version)
	}
	return nil
}

func (c *copying) count(done CopyStats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.add(done)
	if c.opts.Progress != nil {
		c.opts.Progress(c.stats)
	}
}

package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// VersionsOptions choose the versions that [Store.Versions] yields; the zero value
// is all that are kept, the oldest first.
type VersionsOptions struct {
	From, To int64 // the lowest and the highest version, both included; 0 for no bound
	Newest   bool  // the newest first
	Limit    int   // at most so many; 0 for all
}

func (o VersionsOptions) check() error {
	switch {
	case o.From < 0:
		return fmt.Errorf("%w option: VersionsOptions.From %d is negative", ErrInvalid, o.From)
	case o.To < 0:
		return fmt.Errorf("%w option: VersionsOptions.To %d is negative", ErrInvalid, o.To)
	case o.Limit < 0:
		return fmt.Errorf("%w option: VersionsOptions.Limit %d is negative", ErrInvalid, o.Limit)
	case o.To > 0 && o.From > o.To:
		return fmt.Errorf("%w option: VersionsOptions.From %d is above To %d", ErrInvalid, o.From, o.To)
	}
	return nil
}

// A Version is a checkpoint with its state, as [Store.Versions] yields it. It
// stays valid after the loop. It prints and logs without its state.
type Version struct {
	Info
	store *Store
	cp    driver.Checkpoint
	err   error // why the driver could not read the payload
}

// Decode decodes the state into the variable that state points to, as
// [Store.Load] does. It does no I/O and can be called again; what it hands out is
// the caller's. A state that is damaged, needs another key or does not fit the
// variable is an [ErrCorrupt].
func (v *Version) Decode(state any) error {
	err := v.err
	if err == nil {
		err = checkTarget("Decode", state)
	}
	if err == nil {
		var p payload
		if p, err = v.store.unpack(v.cp); err == nil {
			if v.cp.Encoding == encodingBytes || !strings.Contains(v.cp.Encoding, "+") && p.encoding != encodingJSON {
				p.data = bytes.Clone(p.data) // JSON is decoded into memory of its own
			}
			err = v.store.decode(p, state)
		}
	}
	if err != nil && !errors.Is(err, ErrInvalid) {
		err = fmt.Errorf("version %d: %w", v.Info.Version, err)
	}
	return v.store.fail("decode", v.Thread, err)
}

// Format implements fmt.Formatter: the state is shown by its length only.
func (v *Version) Format(f fmt.State, verb rune) {
	v.cp.Format(f, verb)
}

// Versions yields the kept versions of the thread together with their states, in
// ascending order unless opts say otherwise. A thread with history=all and one event
// a version is an append-only log, and this is how it is read: a reader that knows n
// events asks for From: n+1.
//
// Versions are fetched page by page as the loop goes on, and the loop may call any
// method. An absent thread and an empty range are an empty loop. Versions that are
// dropped from the history under the loop are left out; a deletion ends it, and what
// is saved under the same name afterwards is never mixed in.
//
// A version whose state cannot be read is yielded too, and its Decode returns the
// error. Any other error is yielded once, with a nil Version, and ends the loop.
func (s *Store) Versions(ctx context.Context, thread string, opts VersionsOptions) iter.Seq2[*Version, error] {
	return func(yield func(*Version, error) bool) {
		ctx, op := s.start(ctx, "versions", thread)
		versions, err := s.versions(ctx, thread, opts)
		stream(op, versions, err, yield)
	}
}

func (s *Store) versions(ctx context.Context, thread string, opts VersionsOptions) (iter.Seq2[*Version, error], error) {
	if err := s.checkThread(ctx, thread); err != nil {
		return nil, err
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	now, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	req := driver.VersionsRequest{Key: s.key(thread), From: opts.From, To: opts.To, Newest: opts.Newest, Limit: opts.Limit, Now: now}
	checkpoints := eachVersion(ctx, s.conn.backend, req)
	if r, ok := s.conn.backend.(driver.VersionReader); ok {
		checkpoints = r.Versions(ctx, req)
	}
	return func(yield func(*Version, error) bool) {
		chains := chains{b: s.conn.backend, now: now}
		for cp, err := range checkpoints {
			if err == nil && cp.Base != 0 {
				if cp, err = chains.complete(ctx, cp); errors.Is(err, ErrNotFound) {
					continue // dropped
				}
			}
			chains.saw(cp)
			v := &Version{Info: cp.Info, store: s, cp: cp}
			if err != nil {
				if cp.Version == 0 || !errors.Is(err, ErrCorrupt) {
					yield(nil, err)
					return
				}
				v.err = err // of this version alone
			}
			if !yield(v, nil) {
				return
			}
		}
	}, nil
}

// chains gives patched versions, as VersionReader yields them, the links that they
// need: from the versions that were yielded before where it can, and otherwise by a
// load, which brings those of the whole chain.
type chains struct {
	b     driver.Backend
	now   time.Time
	links []driver.Link // consecutive, from a whole state on
}

// saw keeps a version that was yielded.
func (c *chains) saw(cp driver.Checkpoint) {
	l := driver.Link{Version: cp.Version, ID: cp.ID, Encoding: cp.Encoding, Base: cp.Base, Payload: cp.Payload}
	switch n := len(c.links); {
	case cp.Base == 0 && cp.Version != 0:
		if n == 0 || c.links[0].Version != cp.Version { // else it begins what is kept
			c.links = []driver.Link{l}
		}
	case n > 0 && c.links[0].Version == cp.Base && c.links[n-1].Version == cp.Version-1:
		c.links = append(c.links, l)
	}
}

// complete returns cp with its links. ErrNotFound when the thread no longer has it.
func (c *chains) complete(ctx context.Context, cp driver.Checkpoint) (driver.Checkpoint, error) {
	if len(cp.Links) > 0 {
		return cp, nil
	}
	n := cp.Version - cp.Base
	if n > 0 && int64(len(c.links)) >= n && c.links[0].Version == cp.Base {
		cp.Links = c.links[:n:n]
		return cp, nil
	}
	loaded, err := c.b.Load(ctx, driver.LoadRequest{Key: cp.Key, Version: cp.Version, Now: c.now})
	if err != nil {
		return cp, err
	}
	if loaded.ID != cp.ID {
		return cp, ErrNotFound // of a later life
	}
	c.links = loaded.Links[:len(loaded.Links):len(loaded.Links)]
	return loaded, nil
}

// eachVersion is what serves Versions where the driver has no VersionReader: pages
// of the history, and a load for each version.
func eachVersion(ctx context.Context, b driver.Backend, req driver.VersionsRequest) iter.Seq2[driver.Checkpoint, error] {
	return func(yield func(driver.Checkpoint, error) bool) {
		r := versionReader{b: b, req: req}
		err := r.begin(ctx)
		for err == nil && !r.over {
			var page []driver.Info
			if page, err = r.page(ctx); err != nil {
				break
			}
			for _, info := range page {
				cp, loadErr := b.Load(ctx, driver.LoadRequest{Key: req.Key, Version: info.Version, Now: req.Now})
				switch {
				case errors.Is(loadErr, ErrNotFound):
					continue // dropped, or deleted: the next page tells
				case errors.Is(loadErr, ErrCorrupt):
					cp = driver.Checkpoint{Info: info}
				case loadErr != nil:
					yield(driver.Checkpoint{}, loadErr)
					return
				case cp.ID != info.ID:
					return // of a later life
				}
				if !yield(cp, loadErr) {
					return
				}
				if r.yielded++; r.yielded == req.Limit {
					return
				}
			}
		}
		if err != nil {
			yield(driver.Checkpoint{}, err)
		}
	}
}

// versionReader walks through the kept versions of one life of a thread.
type versionReader struct {
	b        driver.Backend
	req      driver.VersionsRequest
	life     driver.Info // the newest version at the beginning
	low      int64       // the versions that are left: low to high
	high     int64
	yielded  int
	over     bool
	previous driver.Info // the last one of the page before
}

// begin finds the range of versions that are there.
func (r *versionReader) begin(ctx context.Context) error {
	for info, err := range r.b.History(ctx, driver.HistoryRequest{Key: r.req.Key, Now: r.req.Now}) {
		if err != nil {
			return err
		}
		if r.life.Version == 0 {
			r.life, r.high = info, info.Version
			if r.req.To > 0 {
				r.high = min(r.high, r.req.To)
			}
		}
		if info.Version < r.req.From {
			break
		}
		r.low = info.Version
		if r.req.Newest {
			r.low = max(r.req.From, 1)
			break
		}
	}
	r.over = r.low == 0 || r.low > r.high
	return nil
}

// page returns the next versions, in the order in which they are yielded, and
// leaves out those that were dropped.
func (r *versionReader) page(ctx context.Context) ([]driver.Info, error) {
	low, high := r.low, r.high
	if r.req.Newest {
		low = max(low, high-driver.VersionsPage+1)
		r.high = low - 1
	} else {
		high = min(high, low+driver.VersionsPage-1)
		r.low = high + 1
	}
	r.over = r.low > r.high
	// The page begins and ends one version further, with the last one before it.
	var infos []driver.Info
	found := false
	for info, err := range r.b.History(ctx, driver.HistoryRequest{Key: r.req.Key, Before: high + 2, Limit: int(high-low) + 3, Now: r.req.Now}) {
		if err != nil {
			return nil, err
		}
		found = true
		if !info.CreatedAt.Equal(r.life.CreatedAt) || info.Version == r.previous.Version && info.ID != r.previous.ID {
			r.over = true
			return nil, nil // a later life
		}
		if low <= info.Version && info.Version <= high {
			infos = append(infos, info)
		}
	}
	if !found && !r.req.Newest {
		// Dropped as a whole, or the thread is gone.
		r.over = r.over || !r.alive(ctx)
	}
	if !r.req.Newest {
		slices.Reverse(infos)
	}
	if len(infos) > 0 {
		r.previous = infos[len(infos)-1]
	} else if r.req.Newest {
		r.over = true
	}
	return infos, nil
}

// alive reports whether the thread is still there in the life that was begun with.
func (r *versionReader) alive(ctx context.Context) bool {
	for info, err := range r.b.History(ctx, driver.HistoryRequest{Key: r.req.Key, Limit: 1, Now: r.req.Now}) {
		return err == nil && info.CreatedAt.Equal(r.life.CreatedAt)
	}
	return false
}

package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// RekeyOptions choose what [Rekey] does.
type RekeyOptions struct {
	Prefix      string           // only threads whose name starts with these bytes
	Plaintext   bool             // also encrypt payloads that are not encrypted yet
	Concurrency int              // threads at a time; 0 for 64
	Progress    func(RekeyStats) // called after every checkpoint, never concurrently
}

// RekeyStats count what a [Rekey] has done.
type RekeyStats struct {
	Threads     int64 // threads seen to the end
	Checkpoints int64 // checkpoints looked at
	Rewritten   int64 // checkpoints encrypted anew
	Bytes       int64 // bytes of the payloads written
}

// Rekey encrypts every kept version of every thread of the store's namespace with
// the primary key of its [WithEncryption], in place: ids, versions, times and
// metadata stay. It runs beside other operations and can be run again after an
// interruption; with a [Keyring] it passes over what the primary key has sealed
// already. When it has returned without an error, and every process saves with
// the new primary key, the older keys are no longer needed for this namespace.
//
// Payloads that are not encrypted are an [ErrCorrupt] unless opts.Plaintext asks
// for them to be encrypted too. An error that matches errors.ErrUnsupported says
// that the driver cannot rewrite.
func Rekey(ctx context.Context, s *Store, opts RekeyOptions) (RekeyStats, error) {
	r := rekeying{store: s, opts: opts}
	err := r.run(ctx)
	if !errors.As(err, new(*Error)) {
		err = s.fail("rekey", "", err)
	}
	return r.stats, err
}

type rekeying struct {
	store    *Store
	opts     RekeyOptions
	rewriter driver.Rewriter

	mu    sync.Mutex
	stats RekeyStats
}

func (r *rekeying) run(ctx context.Context) error {
	s := r.store
	if err := s.check(ctx); err != nil {
		return err
	}
	if s.aead == nil {
		return fmt.Errorf("%w store: Rekey needs one that was opened with WithEncryption", ErrInvalid)
	}
	var ok bool
	if r.rewriter, ok = s.conn.backend.(driver.Rewriter); !ok {
		return unsupported("Rewriter")
	}
	infos, err := s.list(ctx, ListOptions{Prefix: r.opts.Prefix})
	if err != nil {
		return err
	}
	return eachThread(ctx, infos, r.opts.Concurrency, r.thread)
}

// thread seals the kept versions of one thread anew.
func (r *rekeying) thread(ctx context.Context, latest Info) error {
	infos, err := r.store.history(ctx, latest.Thread, HistoryOptions{})
	if err != nil {
		return r.store.fail("rekey", latest.Thread, err)
	}
	done := make(map[string]bool)
	for info, err := range infos {
		var n int64
		if err == nil {
			n, err = r.version(ctx, info, latest.CreatedAt, done)
		}
		if err != nil {
			return r.store.fail("rekey", latest.Thread, err)
		}
		done := RekeyStats{Checkpoints: 1, Bytes: n}
		if n > 0 {
			done.Rewritten = 1
		}
		r.count(done)
	}
	r.count(RekeyStats{Threads: 1})
	return nil
}

// version seals one version anew, and what it builds on, if that is needed, and
// returns the bytes written. A version that was dropped meanwhile needs nothing. Of
// the versions of a chain, which come the newest first, the newest brings all that
// the others need: done holds the ids of those that were seen. created is when the
// thread's life began, for ids and versions may come again in another.
func (r *rekeying) version(ctx context.Context, info Info, created time.Time, done map[string]bool) (int64, error) {
	if done[info.ID] {
		return 0, nil
	}
	cp, err := r.store.fetch(ctx, info.Thread, info.Version, driver.Previous{})
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	links := append(cp.Links[:len(cp.Links):len(cp.Links)], driver.Link{
		Version: cp.Version, ID: cp.ID, Encoding: cp.Encoding, Base: cp.Base, Payload: cp.Payload,
	})
	var written int64
	for i, l := range links {
		if done[l.ID] {
			continue
		}
		at := place{key: cp.Key, id: l.ID}
		if l.Base != 0 {
			at.base = l.Base
			if i > 0 {
				at.previous = links[i-1].ID
			}
		}
		n, err := r.link(ctx, l, at, created, cp.Digest != "")
		if err != nil {
			return written, err
		}
		written += n
		done[l.ID] = true
	}
	return written, nil
}

// link seals one payload anew.
func (r *rekeying) link(ctx context.Context, l driver.Link, at place, created time.Time, digest bool) (int64, error) {
	s := r.store
	p := payload{l.Payload, l.Encoding}
	if c, ok := s.aead.(interface{ Current([]byte) bool }); ok && p.sealed() && c.Current(p.data) {
		return 0, nil
	}
	var err error
	if p.sealed() || !r.opts.Plaintext {
		if p, err = s.open(p, at); err != nil {
			return 0, fmt.Errorf("version %d: %w", l.Version, err)
		}
	}
	if p, err = s.seal(p, at); err != nil {
		return 0, err
	}
	now, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	req := driver.RewriteRequest{Key: at.key, Version: l.Version, ID: l.ID, Payload: p.data, Encoding: p.encoding, Now: now, CreatedAt: created}
	if digest {
		req.Digest = payloadDigest(p.data)
	}
	err = r.rewriter.Rewrite(ctx, req)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return int64(len(p.data)), err
}

func (r *rekeying) count(done RekeyStats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Threads += done.Threads
	r.stats.Checkpoints += done.Checkpoints
	r.stats.Rewritten += done.Rewritten
	r.stats.Bytes += done.Bytes
	if r.opts.Progress != nil {
		r.opts.Progress(r.stats)
	}
}

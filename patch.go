package checkpoint

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/delta"
)

// The design is in docs/design.md, "Incremental saves".

// smallestPatched is the size below which a state is always saved whole, and not
// remembered: a patch would save less than it costs.
const smallestPatched = 4 << 10

// payloadDigest proves the bytes of a stored payload to a later save: it is of what
// is stored, and not of the state, so that it tells nothing about an encrypted one.
// A patch holds a digest of the state that it yields, so that its own digest stands
// for all of the chain.
func payloadDigest(data []byte) string {
	sum := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// digestWhole sets what next remembers of the digests of a whole state that is stored
// as p, where last is remembered of the thread. One that is neither compressed nor
// sealed is stored as it is, and has the digest of its payload.
func (next *remembered) digestWhole(last remembered, p payload) {
	if p.encoding != next.state.encoding {
		next.sum = last.sum.Of(last.state.data, next.state.data)
		next.digest = payloadDigest(p.data)
		return
	}
	next.sum = delta.SumOf(last.sum, last.state.data, next.state.data)
	sum := next.sum.Digest()
	next.digest = base64.RawURLEncoding.EncodeToString(sum[:])
}

// savePatched saves a state as a patch against the one that is remembered, if there
// is one and the database still has it, and otherwise whole.
func (s *Store) savePatched(ctx context.Context, thread string, state payload, o saveOptions) (Info, error) {
	key := s.key(thread)
	to := place{key: key, id: o.id}
	var last remembered
	if len(state.data) >= smallestPatched {
		last, _ = s.conn.states.get(key)
		next, p, ok := s.patch(last, state, to, o.match)
		if ok {
			info, err := s.commitPatch(ctx, thread, p, next, driver.Previous{ID: last.id, Digest: last.digest}, o)
			if err == nil {
				s.conn.states.put(key, next.at(info))
			}
			if !errors.Is(err, driver.ErrBase) {
				return info, err
			}
		} else if last.digest != "" && !last.meets(o.match) {
			if info, err := s.ask(ctx, thread, last, o); !errors.Is(err, driver.ErrBase) {
				return info, err
			}
		}
		last.futile = next.futile
	}
	p, err := s.pack(state, to)
	if err != nil {
		return Info{}, err
	}
	next := remembered{futile: last.futile}
	if len(state.data) >= smallestPatched && !next.futile.skip() {
		next.state, next.stored = state, len(p.data)
		next.digestWhole(last, p)
	}
	info, err := s.commit(ctx, thread, p, next.digest, o)
	switch {
	case err == nil && next.worthwhile():
		s.conn.states.put(key, next.at(info))
	case !errors.Is(err, ErrConflict): // what is remembered may well be what another save has made
		s.conn.states.drop(key)
	}
	return info, err
}

// patch returns the patch that makes state out of the remembered one, and what is to
// be remembered when it is saved. It reports false where the state is to be saved
// whole: nothing is remembered, the condition cannot hold for it, the chain has grown,
// or the patch would not save much.
func (s *Store) patch(last remembered, state payload, to place, match driver.Match) (remembered, payload, bool) {
	next := remembered{state: state, base: last.base, stored: last.stored, patches: last.patches}
	switch {
	case last.futile.skip():
		next.futile = last.futile.skipped()
		return next, payload{}, false
	case last.digest == "", last.state.encoding != state.encoding, !last.meets(match):
		next.futile = last.futile
		return next, payload{}, false
	}
	if next.base == 0 {
		next.base = last.version
	}
	// Patches together may have half of the state's bytes, and all that a load brings
	// one and a half of them.
	room := min(len(state.data)/2, len(state.data)/2*3-last.stored) - last.patches
	if last.version+1-next.base > driver.MaxChain || room <= 0 {
		return next, payload{}, false
	}
	data, sum, ok := delta.Append(nil, last.state.data, state.data, last.sum, len(state.data)/2)
	if !ok {
		next.futile = last.futile.again()
		return next, payload{}, false
	}
	to.base, to.previous = next.base, last.id
	p, err := s.pack(payload{data, state.encoding + "+" + stepPatch}, to)
	if err != nil || len(p.data) > room {
		return next, payload{}, false
	}
	next.patches += len(p.data)
	next.digest, next.sum = payloadDigest(p.data), sum
	return next, p, true
}

// ask lets the database decide a save whose condition cannot hold while the remembered
// version is the latest: a patch of nothing against that one is never taken, so that
// what a worker has lost is known without sending the state. The error is a conflict, or
// driver.ErrBase where the state is to be sent; a save that is repeated has its Info.
func (s *Store) ask(ctx context.Context, thread string, last remembered, o saveOptions) (Info, error) {
	next := remembered{base: cmp.Or(last.base, last.version), digest: payloadDigest(nil)}
	p := payload{[]byte{}, last.state.encoding + "+" + stepPatch}
	return s.commitPatch(ctx, thread, p, next, driver.Previous{ID: last.id, Digest: last.digest}, o)
}

// commitPatch hands a patch to the driver as the next checkpoint of the thread.
func (s *Store) commitPatch(ctx context.Context, thread string, p payload, next remembered, previous driver.Previous, o saveOptions) (Info, error) {
	req, err := s.request(ctx, thread, p, next.digest, o)
	if err != nil {
		return s.unsure(thread, o.id, err), err
	}
	info, err := s.conn.patcher.SavePatch(ctx, driver.PatchRequest{SaveRequest: req, Base: next.base, Previous: previous})
	if err != nil {
		return s.unsure(thread, o.id, err), err
	}
	return info, nil
}

// lastState returns what is remembered of a thread, for a load: nothing where that is
// of a certain version, or there is no state.
func (s *Store) lastState(thread string, version int64) remembered {
	if s.conn.patcher == nil || version != 0 {
		return remembered{}
	}
	last, _ := s.conn.states.get(s.key(thread))
	if last.digest == "" {
		return remembered{}
	}
	return last
}

// recall returns the remembered state for the caller to decode, where a backend says
// that it is that of the latest checkpoint. Id and digest prove it.
func (s *Store) recall(last remembered, cp driver.Checkpoint) (payload, error) {
	if last.digest == "" || cp.ID != last.id || cp.Digest != last.digest {
		return payload{}, fmt.Errorf("%w: the backend takes another checkpoint for the one that is known", ErrCorrupt)
	}
	state := last.state
	if _, ok := s.codec.(jsonCodec); !ok || state.encoding != encodingJSON {
		state.data = bytes.Clone(state.data) // the caller may get the memory itself
	}
	return state, nil
}

// remember keeps the state of the latest checkpoint, as it was loaded, for the next
// save, and returns the state for the caller to decode.
func (s *Store) remember(cp driver.Checkpoint, state payload) payload {
	if s.conn.patcher == nil || cp.Digest == "" || len(state.data) < smallestPatched {
		return state
	}
	last, ok := s.conn.states.get(cp.Key)
	if last.futile.skip() {
		return state // the next save does not look for a patch
	}
	r := remembered{state: state, digest: cp.Digest, base: cp.Base, stored: len(cp.Payload), futile: last.futile}
	for i, l := range cp.Links {
		if i == 0 {
			r.stored = len(l.Payload)
		} else {
			r.patches += len(l.Payload)
		}
	}
	if cp.Base != 0 {
		r.patches += len(cp.Payload)
	}
	if ok {
		r.sum = last.sum.Of(last.state.data, state.data)
	}
	s.conn.states.put(cp.Key, r.at(cp.Info))
	return state
}

// unpackChain returns the state of a patched checkpoint.
func (s *Store) unpackChain(cp driver.Checkpoint) (payload, error) {
	links := append(cp.Links[:len(cp.Links):len(cp.Links)], driver.Link{
		Version: cp.Version, ID: cp.ID, Encoding: cp.Encoding, Base: cp.Base, Payload: cp.Payload,
	})
	if n := cp.Version - cp.Base + 1; cp.Base < 1 || n < 2 || n > driver.MaxChain+1 || int64(len(links)) != n {
		return payload{}, fmt.Errorf("%w: it builds on version %d, and of the versions from there on %d are found", ErrCorrupt, cp.Base, len(links))
	}
	var state payload
	var patches [][]byte
	for i, l := range links {
		at := place{key: cp.Key, id: l.ID}
		if i > 0 {
			at.base, at.previous = cp.Base, links[i-1].ID
		}
		p, err := s.unpackLink(payload{l.Payload, l.Encoding}, at)
		switch {
		case err == nil && (l.Version != cp.Base+int64(i) || l.Base != at.base || i > 0 && p.encoding != state.encoding):
			err = fmt.Errorf("%w: it is no part of the same chain", ErrCorrupt)
		case i == 0:
			state = p
		default:
			patches = append(patches, p.data)
		}
		if err != nil {
			return state, fmt.Errorf("version %d, which it builds on: %w", l.Version, err)
		}
	}
	data, err := delta.Apply(state.data, s.maxSize, patches...)
	switch {
	case errors.Is(err, delta.ErrSize):
		return state, fmt.Errorf("%w: its patches yield more than this store's %d bytes (raise it with WithMaxStateSize or max_state_size)", ErrTooLarge, s.maxSize)
	case err != nil:
		return state, fmt.Errorf("%w: the patches from version %d on do not yield what was saved", ErrCorrupt, cp.Base+1)
	}
	return payload{data, state.encoding}, nil
}

// Whole returns a checkpoint that the store's backend has loaded ([Store.Raw]), and
// that may be a patch against versions before it ([WithIncremental]), as one whose
// payload is the whole state, compressed and encrypted as the store does it: what
// another backend or a file can take over. One that is whole is returned as it is,
// and no key is needed for it.
func (s *Store) Whole(cp driver.Checkpoint) (driver.Checkpoint, error) {
	if cp.Base == 0 {
		return cp, nil
	}
	p, err := s.unpackChain(cp)
	if err == nil {
		p, err = s.pack(p, place{key: cp.Key, id: cp.ID})
	}
	if err != nil {
		return driver.Checkpoint{}, s.fail("whole", cp.Thread, fmt.Errorf("version %d: %w", cp.Version, err))
	}
	cp.Payload, cp.Encoding, cp.Size = p.data, p.encoding, len(p.data)
	cp.Base, cp.Digest, cp.Links = 0, "", nil
	return cp, nil
}

// unpackLink opens and decompresses a whole state or a patch; its encoding is then
// that of the state.
func (s *Store) unpackLink(stored payload, at place) (payload, error) {
	p, err := s.open(stored, at)
	if err != nil {
		return p, err
	}
	codec, steps, _ := strings.Cut(p.encoding, "+")
	step := steps
	if at.base != 0 {
		name, rest, _ := strings.Cut(steps, "+")
		if name != stepPatch {
			return p, fmt.Errorf("%w: it is no patch", ErrCorrupt)
		}
		step = rest
	}
	return s.decompress(payload{p.data, codec}, step)
}

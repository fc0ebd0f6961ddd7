package checkpoint

import (
	"context"
	"errors"

	"github.com/go-ckpt/checkpoint/driver"
)

// Save stores state as the next checkpoint of the thread and returns its Info.
//
// The state is any value that the store's codec can encode (JSON, unless
// [WithCodec] says otherwise), or [Bytes], which are stored unchanged. A JSON
// state that nests deeper than 1,000 levels or holds text that is not UTF-8 is
// an [ErrInvalid]; one larger than the store's limit is an [ErrTooLarge].
//
// A save is applied at most once, whatever is retried on the way to the
// database. [ErrUnavailable] and the errors of ctx leave open whether it was;
// the Info returned with them carries the thread and the ID of the save, so that
// [Store.Find] can tell. Where the save is repeated, give it an id of its own by
// [WithID]: then repeating it is safe.
func (s *Store) Save(ctx context.Context, thread string, state any, opts ...SaveOption) (Info, error) {
	ctx, op := s.start(ctx, "save", thread)
	info, err := s.save(ctx, thread, state, opts)
	return info, op.end(info, err)
}

// save is Save without the wrapping of errors.
func (s *Store) save(ctx context.Context, thread string, state any, opts []SaveOption) (Info, error) {
	o, invalid := s.saveOptions(opts)
	if err := s.checkThread(ctx, thread); err != nil {
		return s.unsure(thread, o.id, err), err
	}
	if invalid != nil {
		return Info{}, invalid
	}
	p, err := s.encode(state)
	if err != nil {
		return Info{}, err
	}
	return s.saveState(ctx, thread, p, o)
}

// saveState saves an encoded state as the next checkpoint of the thread: as a patch
// where that is possible, and whole otherwise.
func (s *Store) saveState(ctx context.Context, thread string, state payload, o saveOptions) (Info, error) {
	if s.conn.patcher != nil {
		return s.savePatched(ctx, thread, state, o)
	}
	p, err := s.pack(state, place{key: s.key(thread), id: o.id})
	if err != nil {
		return Info{}, err
	}
	return s.commit(ctx, thread, p, "", o)
}

// commit hands a payload to the driver as the next checkpoint of the thread.
func (s *Store) commit(ctx context.Context, thread string, p payload, digest string, o saveOptions) (Info, error) {
	req, err := s.request(ctx, thread, p, digest, o)
	if err != nil {
		return s.unsure(thread, o.id, err), err
	}
	info, err := s.conn.backend.Save(ctx, req)
	if err != nil {
		return s.unsure(thread, o.id, err), err
	}
	return info, nil
}

func (s *Store) request(ctx context.Context, thread string, p payload, digest string, o saveOptions) (driver.SaveRequest, error) {
	now, err := s.begin(ctx)
	return driver.SaveRequest{
		Key:       s.key(thread),
		ID:        o.id,
		Payload:   p.data,
		Encoding:  p.encoding,
		Digest:    digest,
		Metadata:  o.metadata,
		Now:       now,
		ExpiresAt: expiry(now, o.ttl),
		Keep:      s.keep,
		Match:     o.match,
	}, err
}

// unsure returns the Info that comes with the error of a save: the thread and the
// id when the error leaves open whether the save was applied.
func (s *Store) unsure(thread, id string, err error) Info {
	for _, open := range [...]error{ErrUnavailable, ErrClosed, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, open) {
			return Info{Key: s.key(thread), ID: id}
		}
	}
	return Info{}
}

package checkpoint

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

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
// [Store.Stat] or [Store.History] can tell.
func (s *Store) Save(ctx context.Context, thread string, state any, opts ...SaveOption) (Info, error) {
	op := s.start("save", thread)
	info, err := s.save(ctx, thread, state, opts)
	return info, op.end(ctx, info, err)
}

// save is Save without the wrapping of errors.
func (s *Store) save(ctx context.Context, thread string, state any, opts []SaveOption) (Info, error) {
	return s.put(ctx, thread, func(id string) (payload, saveOptions, error) {
		o, err := s.saveOptions(opts)
		if err != nil {
			return payload{}, o, err
		}
		p, err := s.encode(state)
		if err != nil {
			return p, o, err
		}
		p, err = s.pack(p, s.key(thread), id)
		return p, o, err
	})
}

// put saves what the callback makes for the id of the new checkpoint. An error
// that leaves open whether the save was applied comes with the thread and the id.
func (s *Store) put(ctx context.Context, thread string, content func(id string) (payload, saveOptions, error)) (Info, error) {
	id := rand.Text()
	info, err := s.tryPut(ctx, thread, id, content)
	switch {
	case err == nil:
		return info, nil
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Info{Key: s.key(thread), ID: id}, err
	}
	return Info{}, err
}

func (s *Store) tryPut(ctx context.Context, thread, id string, content func(id string) (payload, saveOptions, error)) (Info, error) {
	if err := s.checkThread(ctx, thread); err != nil {
		return Info{}, err
	}
	p, o, err := content(id)
	if err != nil {
		return Info{}, err
	}
	now, err := s.begin(ctx)
	if err != nil {
		return Info{}, err
	}
	return s.conn.backend.Save(ctx, driver.SaveRequest{
		Key:       s.key(thread),
		ID:        id,
		Payload:   p.data,
		Encoding:  p.encoding,
		Metadata:  o.metadata,
		Now:       now,
		ExpiresAt: expiry(now, o.ttl),
		Keep:      s.keep,
		Match:     o.match,
	})
}

// Delete removes every version of the thread. It returns nil when the thread
// does not exist.
func (s *Store) Delete(ctx context.Context, thread string) error {
	op := s.start("delete", thread)
	err := s.checkThread(ctx, thread)
	if err == nil {
		var now time.Time
		if now, err = s.begin(ctx); err == nil {
			err = s.conn.backend.Delete(ctx, driver.DeleteRequest{Key: s.key(thread), Now: now})
		}
	}
	return op.end(ctx, Info{}, err)
}

// Purge removes the expired threads of the store's namespace from the database
// and returns how many it removed. Expired threads are invisible without it;
// databases that expire rows by themselves may have left fewer. It runs beside
// other operations. An error that matches errors.ErrUnsupported says that the
// driver cannot purge.
func (s *Store) Purge(ctx context.Context) (int64, error) {
	op := s.start("purge", "")
	n, err := s.purge(ctx)
	return n, op.end(ctx, Info{}, err)
}

func (s *Store) purge(ctx context.Context) (int64, error) {
	if err := s.check(ctx); err != nil {
		return 0, err
	}
	p, ok := s.conn.backend.(driver.Purger)
	if !ok {
		return 0, unsupported("Purger")
	}
	now, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	return p.Purge(ctx, s.namespace, now)
}

func unsupported(optional string) error {
	return fmt.Errorf("%w: the driver does not implement driver.%s", errors.ErrUnsupported, optional)
}

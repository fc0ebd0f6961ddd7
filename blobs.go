package checkpoint

import (
	"context"
	"errors"
)

// Blobs is a store in the shape that agent frameworks ask for: plain []byte under
// an id, as Eino's CheckPointStore. The blobs are the threads that [Store.Save]
// makes of [Bytes], with the store's namespace, TTL and history.
type Blobs struct{ store *Store }

// Blobs returns the store in the shape of []byte under an id.
func (s *Store) Blobs() Blobs { return Blobs{s} }

// Get returns the blob, and false when there is none. An id that names a state
// other than Bytes is an [ErrCorrupt].
func (b Blobs) Get(ctx context.Context, id string) ([]byte, bool, error) {
	var blob Bytes
	switch _, err := b.store.Load(ctx, id, &blob); {
	case errors.Is(err, ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	return blob, true, nil
}

// Set stores the blob.
func (b Blobs) Set(ctx context.Context, id string, blob []byte) error {
	_, err := b.store.Save(ctx, id, Bytes(blob))
	return err
}

// Delete removes the blob; nil when there is none.
func (b Blobs) Delete(ctx context.Context, id string) error {
	return b.store.Delete(ctx, id)
}

// Take returns the blob and removes it: of any number of callers that take the same
// blob one gets it, and the others get false. With it two workers that resume one
// interrupted run do not both go on. What it returned is no longer stored: a worker
// that may die on the way holds a lease instead, see package lease.
//
// After an error that matches [ErrUnavailable] or ctx's the blob may have been
// removed, and Get tells.
func (b Blobs) Take(ctx context.Context, id string) ([]byte, bool, error) {
	for attempt := 0; ; attempt++ {
		var blob Bytes
		info, err := b.store.Load(ctx, id, &blob)
		if err == nil {
			err = b.store.Delete(ctx, id, IfMatch(info.ID))
		}
		switch {
		case err == nil:
			return blob, true, nil
		case errors.Is(err, ErrNotFound):
			return nil, false, nil
		case !errors.Is(err, ErrConflict):
			return nil, false, err
		}
		if err := pause(ctx, attempt); err != nil { // set again, or taken, in between
			return nil, false, b.store.fail("take", id, err)
		}
	}
}

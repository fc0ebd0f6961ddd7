package dynamodb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
)

// rereads is how often a reader looks at the head again when an item that it
// names is gone, because the thread was saved or deleted in between.
const rereads = 20

// missed is called when an item that head names is gone. Where the head was the
// same one before, nobody has saved or deleted in between, and the item is lost;
// otherwise it pauses, and the reader starts over.
func (op *operation) missed(ctx context.Context, before, head *item, attempt int) error {
	switch {
	case before != nil && before.same(head):
		return fmt.Errorf("%w: an item that the head names is missing", driver.ErrCorrupt)
	case attempt == rereads:
		return fmt.Errorf("%w: the thread changes faster than it can be read; try again", driver.ErrUnavailable)
	case attempt > 0:
		return pause(ctx, min(attempt, 3))
	}
	return nil
}

// same reports whether a head is the one that was read before.
func (i *item) same(head *item) bool {
	return i.ID == head.ID && i.life == head.life && i.rewrite == head.rewrite
}

func isCorrupt(err error) bool { return errors.Is(err, driver.ErrCorrupt) }

// head reads the head of a thread, dead or alive; nil if there is none. Names
// are the attributes to transfer, none for all.
func (op *operation) head(ctx context.Context, key driver.Key, names ...string) (*item, error) {
	a, err := op.get(ctx, headKey(key), names...)
	if err != nil || a == nil {
		return nil, err
	}
	if _, ours := a["id"]; !ours && len(names) > 0 {
		// The size of what another program wrote is known by its state only.
		if a, err = op.get(ctx, headKey(key)); err != nil || a == nil {
			return nil, err
		}
	}
	return readItem(key, a)
}

// load reads the head, or the head and an older version, and their parts.
func (op *operation) load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	var names []string
	if req.Version != 0 {
		names = infoNames
	}
	var before *item
	for attempt := 0; ; attempt++ {
		head, err := op.head(ctx, req.Key, names...)
		if err != nil {
			return driver.Checkpoint{}, err
		}
		if head == nil || head.Expired(req.Now) {
			return driver.Checkpoint{}, driver.ErrNotFound
		}
		i, whole := head, true
		if req.Version != 0 && (req.Version > head.Version || req.Version < head.Version && (head.first == 0 || req.Version < head.first)) {
			return driver.Checkpoint{}, driver.ErrNotFound
		}
		if req.Version != 0 {
			key := headKey(req.Key)
			if req.Version < head.Version {
				key = versionKey(head.life, req.Version)
			}
			a, err := op.get(ctx, key)
			if err != nil {
				return driver.Checkpoint{}, err
			}
			if whole = a != nil; whole {
				if i, err = readItem(req.Key, a); err != nil {
					return driver.Checkpoint{}, err
				}
				whole = i.Version == req.Version
			}
		}
		if whole {
			if whole, err = op.readParts(ctx, i); err != nil {
				return driver.Checkpoint{}, err
			}
		}
		if whole {
			return driver.Checkpoint{Info: i.Info, Payload: i.payload}, nil
		}
		if err := op.missed(ctx, before, head, attempt); err != nil {
			return driver.Checkpoint{}, err
		}
		before = head
	}
}

// checkInline looks whether a payload that is in its item is as long as it was.
func (i *item) checkInline() error {
	if len(i.payload) != i.Size {
		return fmt.Errorf("%w: its payload has %d bytes and should have %d", driver.ErrCorrupt, len(i.payload), i.Size)
	}
	if i.payload == nil {
		i.payload = []byte{}
	}
	return nil
}

// readParts completes a payload that is in parts, and reports whether all of
// them were there.
func (op *operation) readParts(ctx context.Context, i *item) (bool, error) {
	if i.chunks == "" {
		return true, i.checkInline()
	}
	// A request returns 16 MB at most and leaves the rest for another one.
	const together = 16
	payload := make([]byte, 0, min(i.Size, i.parts*chunkSize))
	for from := 0; from < i.parts; from += together {
		var keys []string
		for n := from; n < min(from+together, i.parts); n++ {
			keys = append(keys, chunkKey(i.chunks, n))
		}
		found, err := op.getAll(ctx, true, keys)
		if err != nil {
			return false, err
		}
		for _, key := range keys {
			part, ok := found[key]["data"].(*types.AttributeValueMemberB)
			if !ok {
				return false, nil
			}
			payload = append(payload, part.Value...)
		}
	}
	if sum := sha256.Sum256(payload); len(payload) != i.Size || hex.EncodeToString(sum[:]) != i.digest {
		return false, fmt.Errorf("%w: the parts of its payload are not those that were saved", driver.ErrCorrupt)
	}
	i.payload = payload
	return true, nil
}

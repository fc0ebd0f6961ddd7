package dynamodb

import (
	"cmp"
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

// load reads the head, or the head and an older version, and their parts; and what a
// patch needs, in a second request where the head knows what that is.
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
		version := cmp.Or(req.Version, head.Version)
		if version > head.Version || version < head.visible() {
			return driver.Checkpoint{}, driver.ErrNotFound
		}
		if req.Version == 0 && req.Known.Digest != "" && head.ID == req.Known.ID && head.proof == req.Known.Digest {
			op.known.put(head)
			return driver.Checkpoint{Info: head.Info, Digest: head.proof, Known: true}, nil
		}
		cp, whole, err := op.loadVersion(ctx, head, version, req.Version == 0)
		if err == nil && whole && req.Version == 0 {
			op.known.put(head)
		}
		if err != nil || whole {
			return cp, err
		}
		err = op.missed(ctx, before, head, attempt)
		if isCorrupt(err) && cp.Version == version {
			return cp, nil // without the links that are lost, as the contract has it
		}
		if err != nil {
			return driver.Checkpoint{}, err
		}
		before = head
	}
}

// loadVersion reads a version that a head says is kept, and reports whether all of it
// was there. Complete says that the head was read with its payload.
func (op *operation) loadVersion(ctx context.Context, head *item, version int64, complete bool) (driver.Checkpoint, bool, error) {
	if r := head.runOf(version); r.base != 0 {
		return op.readChain(ctx, head, r, version)
	}
	i := head
	if version < head.Version || !complete {
		a, err := op.get(ctx, keyOfVersion(head, version))
		if err != nil || a == nil {
			return driver.Checkpoint{}, false, err
		}
		if i, err = readItem(head.Key, a); err != nil || i.Version != version {
			return driver.Checkpoint{}, false, err
		}
	}
	if i.Base != 0 {
		return op.readChain(ctx, head, run{base: i.Base}, version)
	}
	whole, err := op.readParts(ctx, i)
	if err != nil || !whole {
		return driver.Checkpoint{}, false, err
	}
	return driver.Checkpoint{Info: i.Info, Payload: i.payload, Digest: i.proof}, true, nil
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
	return op.readPartsWith(ctx, i, nil)
}

// readPartsWith is readParts with items that have been read already.
func (op *operation) readPartsWith(ctx context.Context, i *item, have map[string]attributes) (bool, error) {
	if i.chunks == "" {
		return true, i.checkInline()
	}
	// A request returns 16 MB at most and leaves the rest for another one.
	const together = 16
	payload := make([]byte, 0, min(i.Size, i.parts*chunkSize))
	for from := 0; from < i.parts; from += together {
		var keys, missing []string
		for n := from; n < min(from+together, i.parts); n++ {
			key := chunkKey(i.chunks, n)
			keys = append(keys, key)
			if have[key] == nil {
				missing = append(missing, key)
			}
		}
		found, err := op.getAll(ctx, true, missing)
		if err != nil {
			return false, err
		}
		for _, key := range keys {
			a := have[key]
			if a == nil {
				a = found[key]
			}
			part, ok := a["data"].(*types.AttributeValueMemberB)
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

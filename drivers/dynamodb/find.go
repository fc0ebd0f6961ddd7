package dynamodb

import (
	"context"
	"slices"

	"github.com/go-ckpt/checkpoint/driver"
)

// maxMarker is the longest id that a marker can have in its key.
const maxMarker = 1024

// find reads the head and the version that has an id, and a marker before it where
// the head does not hold the id.
func (op *operation) find(ctx context.Context, req driver.FindRequest) (driver.Info, error) {
	var before *item
	for attempt := 0; ; attempt++ {
		head, err := op.head(ctx, req.Key, infoNames...)
		if err != nil {
			return driver.Info{}, err
		}
		if head == nil || head.Expired(req.Now) {
			return driver.Info{}, driver.ErrNotFound
		}
		info, found, err := op.repeated(ctx, head, req.ID)
		switch {
		case err != nil:
			return driver.Info{}, err
		case found:
			return info, nil
		case !slices.Contains(head.ids, req.ID):
			return driver.Info{}, driver.ErrNotFound
		}
		// The head names it, and it is gone.
		if err := op.missed(ctx, before, head, attempt); err != nil {
			return driver.Info{}, err
		}
		before = head
	}
}

// repeated looks for a kept version that was saved with an id.
func (op *operation) repeated(ctx context.Context, head *item, id string) (driver.Info, bool, error) {
	if head.ID == id {
		return head.Info, true, nil
	}
	version := int64(0)
	if n := slices.Index(head.ids, id); n >= 0 {
		version = head.Version - 1 - int64(n)
	} else if head.older() > int64(len(head.ids)) && len(id) <= maxMarker {
		a, err := op.get(ctx, markerKey(head.life, id))
		if err != nil {
			return driver.Info{}, false, err
		}
		r := &reader{a: a}
		version = r.number("version")
	}
	if version == 0 || head.first == 0 || version < head.first {
		return driver.Info{}, false, nil
	}
	items, complete, err := op.older(ctx, head, version, version)
	if err != nil || !complete || items[0].ID != id {
		return driver.Info{}, false, err
	}
	return items[0].Info, true, nil
}

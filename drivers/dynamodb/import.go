package dynamodb

import (
	"context"
	"crypto/rand"

	"github.com/go-ckpt/checkpoint/driver"
)

// take writes a checkpoint of another store as it is.
func (op *operation) take(ctx context.Context, req driver.ImportRequest) error {
	old, err := op.head(ctx, req.Key)
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		next := &item{Info: req.Info, payload: req.Payload, life: rand.Text()}
		next.Size, next.Base = len(req.Payload), 0
		live := old != nil && !old.Expired(req.Now)
		if live {
			switch {
			case req.Version == old.Version && req.ID == old.ID:
				return nil
			case req.Version <= old.Version:
				if old.first != 0 && req.Version >= old.first && req.Version < old.Version {
					items, complete, err := op.older(ctx, old, req.Version, req.Version)
					if err != nil {
						return err
					}
					if complete && items[0].ID == req.ID {
						return nil
					}
				}
				return &driver.ConflictError{Current: old.Info}
			case req.Version == old.Version+1:
				next.life = old.life
			}
		}
		if err := check(req.Match, old, live); err != nil {
			return err
		}
		begun, err := op.replace(ctx, old, next, req.Keep)
		if err != nil || begun == nil {
			return err
		}
		if old, err = op.startOver(ctx, begun, attempt); err != nil {
			return err
		}
	}
}

package dynamodb

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
)

// Delete implements driver.Backend: one request for a thread that has no other
// items. With them, the head goes first, which makes the thread absent at once.
func (b *backend) Delete(ctx context.Context, req driver.DeleteRequest) error {
	s, err := b.enter(ctx)
	if err != nil {
		return err
	}
	defer b.leave()
	condition := "attribute_not_exists(#first) AND attribute_not_exists(#swept) AND attribute_not_exists(#chunks)"
	var before attributes
	failed := false
	// The condition holds for a later life of the thread too: sent again after a
	// lost reply, the request could remove a thread that was made after it.
	err = s.once(ctx, func(ctx context.Context, o func(*dynamodb.Options)) error {
		_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: s.table, Key: keyOf(headKey(req.Key)),
			ConditionExpression:                 &condition,
			ExpressionAttributeNames:            map[string]string{"#first": "first", "#swept": "swept", "#chunks": "chunks"},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}, o)
		if before, failed = conditionFailed(err); failed {
			return nil
		}
		return err
	})
	if ambiguous(err) && ctx.Err() == nil {
		look, cancel := context.WithTimeout(ctx, lookTime)
		defer cancel()
		if head, lookErr := s.head(look, req.Key); lookErr == nil && head == nil {
			return nil
		}
	}
	if err != nil || !failed {
		return s.explain(ctx, err)
	}
	head, err := readItem(req.Key, before)
	if err != nil || head == nil {
		return err
	}
	for life, attempt := head.life, 0; ; attempt++ {
		again, err := s.removeThread(ctx, head)
		if err != nil || !again {
			return err
		}
		head, err = s.reread(ctx, req.Key, attempt)
		if err != nil || head == nil || head.life != life {
			return err // in a new life: in between there was no thread
		}
	}
}

// removeThread removes a thread as its head was read, and reports whether that
// has changed meanwhile.
func (s *session) removeThread(ctx context.Context, head *item) (again bool, err error) {
	j := &journal{Key: head.Key}
	j.drops(head)
	if err := s.open(ctx, j); err != nil {
		return false, err
	}
	in := &dynamodb.DeleteItemInput{TableName: s.table, Key: keyOf(headKey(head.Key))}
	in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = unchanged(head)
	failed := false
	err = s.do(ctx, func(ctx context.Context) error {
		_, err := s.client.DeleteItem(ctx, in)
		if _, failed = conditionFailed(err); failed {
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		return false, err
	case failed:
		// It was saved meanwhile, or an earlier attempt has removed it: the
		// head tells which.
		return true, s.finish(ctx, j)
	}
	return false, s.cleanQuietly(ctx, j)
}

// Purge implements driver.Purger. It looks at every thread of the namespace, and
// at the journals of writers that have died.
func (b *backend) Purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	s, err := b.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer b.leave()
	var purged int64
	for page, err := range s.pages(ctx, listing{namespace: namespace}) {
		if err != nil {
			return purged, err
		}
		for _, head := range page {
			if head.legacy && head.Expired(now) { // a list is without what it is removed by
				if head, err = s.head(ctx, head.Key); err != nil {
					return purged, err
				}
			}
			for attempt := 0; head != nil && head.Expired(now); attempt++ {
				again, err := s.removeThread(ctx, head)
				if err != nil {
					return purged, err
				}
				if !again {
					purged++
					break
				}
				if head, err = s.reread(ctx, head.Key, attempt); err != nil {
					return purged, err
				}
			}
		}
	}
	journals, err := s.journals(ctx, namespace)
	if err != nil {
		return purged, err
	}
	for _, j := range journals {
		if time.Since(j.At) < journalAge {
			continue
		}
		if err := s.finish(ctx, j); err != nil {
			return purged, err
		}
	}
	return purged, nil
}

package dynamodb

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
)

// delete removes a thread: the head first, which makes the thread absent at once.
func (op *operation) delete(ctx context.Context, req driver.DeleteRequest) error {
	condition := "attribute_not_exists(#first) AND attribute_not_exists(#swept) AND attribute_not_exists(#chunks)"
	var before attributes
	failed := false
	// The condition holds for a later life of the thread too: sent again after a
	// lost reply, the request could remove a thread that was made after it.
	err := op.once(ctx, func(ctx context.Context, o func(*dynamodb.Options)) error {
		_, err := op.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: op.table, Key: keyOf(headKey(req.Key)),
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
		if head, lookErr := op.head(look, req.Key); lookErr == nil && head == nil {
			return nil
		}
	}
	if err != nil || !failed {
		return op.explain(ctx, err)
	}
	head, err := readItem(req.Key, before)
	if err != nil || head == nil {
		return err
	}
	for life, attempt := head.life, 0; ; attempt++ {
		again, err := op.removeThread(ctx, head)
		if err != nil || !again {
			return err
		}
		head, err = op.reread(ctx, req.Key, attempt)
		if err != nil || head == nil || head.life != life {
			return err // in a new life: in between there was no thread
		}
	}
}

// removeThread removes a thread as its head was read, and reports whether that
// has changed meanwhile.
func (op *operation) removeThread(ctx context.Context, head *item) (again bool, err error) {
	j := &journal{Key: head.Key}
	j.drops(head)
	if err := op.open(ctx, j); err != nil {
		return false, err
	}
	in := &dynamodb.DeleteItemInput{TableName: op.table, Key: keyOf(headKey(head.Key))}
	in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = unchanged(head)
	failed := false
	err = op.do(ctx, func(ctx context.Context) error {
		_, err := op.client.DeleteItem(ctx, in)
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
		return true, op.finish(ctx, j)
	}
	return false, op.cleanQuietly(ctx, j)
}

// purge removes the threads of a namespace that have expired, and what writers
// that have died may have left.
func (op *operation) purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	var purged int64
	for page, err := range op.pages(ctx, listing{namespace: namespace}) {
		if err != nil {
			return purged, err
		}
		for _, head := range page {
			if head.legacy && head.Expired(now) { // a list is without what it is removed by
				if head, err = op.head(ctx, head.Key); err != nil {
					return purged, err
				}
			}
			for attempt := 0; head != nil && head.Expired(now); attempt++ {
				again, err := op.removeThread(ctx, head)
				if err != nil {
					return purged, err
				}
				if !again {
					purged++
					break
				}
				if head, err = op.reread(ctx, head.Key, attempt); err != nil {
					return purged, err
				}
			}
		}
	}
	journals, err := op.journals(ctx, namespace)
	if err != nil {
		return purged, err
	}
	for _, j := range journals {
		if time.Since(j.At) < journalAge {
			continue
		}
		if err := op.finish(ctx, j); err != nil {
			return purged, err
		}
	}
	return purged, nil
}

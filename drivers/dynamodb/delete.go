package dynamodb

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/names"
)

// delete removes a thread: its only item with one conditional request, and
// otherwise the head first, which makes the thread absent at once.
func (op *operation) delete(ctx context.Context, req driver.DeleteRequest) error {
	known := op.known.get(req.Key)
	op.known.forget(req.Key)
	conditional := req.Match != driver.Match{}
	head, done, err := op.deleteAtOnce(ctx, req, known)
	if done || err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		if conditional {
			if err := check(req.Match, head, head != nil && !head.Expired(req.Now)); err != nil {
				return err
			}
		}
		if head == nil {
			return nil
		}
		again, err := op.removeThread(ctx, head, conditional)
		if err != nil || !again {
			return err
		}
		next, err := op.reread(ctx, req.Key, attempt)
		if err != nil {
			return err
		}
		if !conditional && head.gaveWayTo(next) {
			return nil
		}
		head = next
	}
}

// deleteAtOnce removes a thread that has no other items and meets the condition.
// Where that is not so it returns the head, nil if there is none, and false. It is told
// the head that is known of the thread, nil if none is.
func (op *operation) deleteAtOnce(ctx context.Context, req driver.DeleteRequest, known *item) (*item, bool, error) {
	e := newExpression()
	condition := "attribute_not_exists(" + e.name("first") + ") AND attribute_not_exists(" + e.name("swept") +
		") AND attribute_not_exists(" + e.name("chunks") + ")"
	conditional := req.Match != driver.Match{}
	if conditional {
		condition += " AND " + e.matches(req.Match) + " AND " + e.alive(req.Now)
	}
	var before attributes
	failed := false
	// The condition may hold for a later life of the thread too: sent again after
	// a lost reply, the request could remove a thread that was made after it.
	err := op.once(ctx, func(ctx context.Context, o func(*dynamodb.Options)) error {
		_, err := op.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: op.table, Key: keyOf(headKey(req.Key)),
			ConditionExpression:                 &condition,
			ExpressionAttributeNames:            e.names,
			ExpressionAttributeValues:           e.given(),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}, o)
		if before, failed = conditionFailed(err); failed {
			return nil
		}
		return err
	})
	if err != nil {
		// A thread that is absent now may have been removed by another, which
		// decides whether a condition held: that cannot be told.
		if !conditional && ambiguous(err) && ctx.Err() == nil {
			switch head, lookErr := op.head(ctx, req.Key); {
			case lookErr != nil:
			case head == nil:
				return nil, true, nil
			case known != nil && head.life == known.life:
				return head, false, nil // it was there before the request: that was not applied
			}
		}
		return nil, true, op.explain(ctx, err)
	}
	if !failed {
		return nil, true, nil
	}
	head, err := op.headBefore(ctx, req.Key, before)
	return head, false, err
}

// removeThread removes a thread as its head was read, and reports whether that
// has changed meanwhile. With once, that is never due to a request of its own
// whose reply was lost.
func (op *operation) removeThread(ctx context.Context, head *item, once bool) (again bool, err error) {
	j := &journal{Key: head.Key}
	j.drops(head)
	if err := op.open(ctx, j); err != nil {
		return false, err
	}
	in := &dynamodb.DeleteItemInput{TableName: op.table, Key: keyOf(headKey(head.Key))}
	in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = unchanged(head)
	failed := false
	if once {
		err = op.onceOn(ctx, head, func(ctx context.Context, o func(*dynamodb.Options)) error {
			_, err := op.client.DeleteItem(ctx, in, o)
			return err
		})
		_, failed = conditionFailed(err)
		err = op.unlessFailed(ctx, err)
	} else {
		err = op.do(ctx, func(ctx context.Context) error {
			_, err := op.client.DeleteItem(ctx, in)
			if _, failed = conditionFailed(err); failed {
				return nil
			}
			return err
		})
	}
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

// deletePrefix removes the threads under a prefix, page by page.
func (b *backend) deletePrefix(ctx context.Context, req driver.DeletePrefixRequest) (int64, error) {
	low, high, some := names.Range(req.Prefix, "")
	var removed int64
	for page, err := range b.pages(ctx, listing{namespace: req.Namespace, low: low, high: high, nothing: !some}) {
		if err != nil {
			return removed, err
		}
		n, err := b.removeListed(ctx, page, func(*item) bool { return true }, func(head *item) bool { return !head.Expired(req.Now) })
		if removed += n; err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// purge removes the threads of a namespace that have expired, and what writers
// that have died may have left.
func (b *backend) purge(ctx context.Context, namespace string, now time.Time) (int64, error) {
	expired := func(head *item) bool { return head.Expired(now) }
	var purged int64
	for page, err := range b.pages(ctx, listing{namespace: namespace}) {
		if err != nil {
			return purged, err
		}
		n, err := b.removeListed(ctx, page, expired, expired)
		if purged += n; err != nil {
			return purged, err
		}
	}
	return purged, b.finishOld(ctx, namespace)
}

// gaveWayTo reports whether a thread has been absent between two looks at its head: next
// is nil, or of another life, which is not for an earlier deletion to remove, whose answer
// may have been lost. The life of an item of another program is not known.
func (i *item) gaveWayTo(next *item) bool {
	return next == nil || !i.legacy && next.life != i.life
}

// removeListed removes those threads of a page that are due, also when they change
// meanwhile, and returns how many of those that count it has removed.
func (b *backend) removeListed(ctx context.Context, page []*item, due, counts func(*item) bool) (int64, error) {
	op, err := b.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer op.end()
	var removed int64
	for _, head := range page {
		if head.legacy && due(head) { // a list is without what it is removed by
			if head, err = op.head(ctx, head.Key); err != nil {
				return removed, err
			}
		}
		for attempt := 0; head != nil && due(head); attempt++ {
			again, err := op.removeThread(ctx, head, false)
			if err != nil {
				return removed, err
			}
			if !again {
				if counts(head) {
					removed++
				}
				break
			}
			next, err := op.reread(ctx, head.Key, attempt)
			if err != nil {
				return removed, err
			}
			if head.gaveWayTo(next) {
				break
			}
			head = next
		}
	}
	return removed, nil
}

package dynamodb

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/go-ckpt/checkpoint/driver"
)

// rewrite exchanges a payload for another form of the same state.
func (op *operation) rewrite(ctx context.Context, req driver.RewriteRequest) error {
	for attempt := 0; ; attempt++ {
		head, err := op.reread(ctx, req.Key, attempt)
		if err != nil {
			return err
		}
		if head == nil || head.Expired(req.Now) || !req.Holds(head.Info) {
			return driver.ErrNotFound
		}
		old := head
		if req.Version != head.Version {
			needed, err := op.needed(ctx, head)
			if err != nil {
				return err
			}
			if req.Version < needed || req.Version > head.Version {
				return driver.ErrNotFound
			}
		}
		key := keyOfVersion(head, req.Version)
		if key != headKey(req.Key) {
			a, err := op.get(ctx, key)
			if err != nil {
				return err
			}
			if a == nil {
				continue // trimmed or superseded meanwhile
			}
			if old, err = readItem(req.Key, a); err != nil {
				return err
			}
		}
		if old.ID != req.ID {
			return driver.ErrNotFound
		}
		if again, err := op.exchange(ctx, head, old, key, req); err != nil || !again {
			return err
		}
	}
}

// exchange puts another payload into an item that is otherwise to stay as it is,
// and reports whether that has changed meanwhile.
func (op *operation) exchange(ctx context.Context, head, old *item, key string, req driver.RewriteRequest) (again bool, err error) {
	next := *old
	next.payload, next.Encoding, next.Size = req.Payload, req.Encoding, len(req.Payload)
	next.chunks, next.parts, next.digest, next.proof = "", 0, "", req.Digest
	next.rewrite, next.legacy = rewritten(old.rewrite), false
	j := &journal{Key: req.Key}
	parts := next.split(len(req.Payload) > maxInline)
	for _, set := range []chunkSet{{old.chunks, old.parts}, {next.chunks, next.parts}} {
		if set.Name != "" {
			j.Chunks = append(j.Chunks, set)
		}
	}
	if next.large && !head.large && next.Version != head.Version {
		// A removal of the history must know that there are parts in it.
		marked := *head
		marked.large, marked.rewrite = true, rewritten(head.rewrite)
		if err := op.putHead(ctx, head, &marked); err != nil {
			_, failed := conditionFailed(err)
			return failed, op.unlessFailed(ctx, err)
		}
	}
	if err := op.open(ctx, j); err != nil {
		return false, err
	}
	if err := op.write(ctx, parts); err != nil {
		return false, err
	}
	if j.outlived() {
		return false, fmt.Errorf("%w: this change was held up for too long and was given up; try again", driver.ErrUnavailable)
	}
	if err := op.putExchanged(ctx, head, old, &next, key); err != nil {
		_, failed := conditionFailed(err)
		if failed {
			return true, op.finish(ctx, j)
		}
		return false, op.explain(ctx, err)
	}
	j.keep(next.chunks)
	return false, op.cleanQuietly(ctx, j)
}

// putExchanged writes an item in place of the one that was read. The error is
// DynamoDB's own.
func (op *operation) putExchanged(ctx context.Context, head, old, next *item, key string) error {
	switch {
	case old == head:
		return op.putHead(ctx, head, next)
	case next.Version == head.Version: // a patch: the head says the same of it
		latest := *head
		latest.payload, latest.Encoding, latest.Size = next.payload, next.Encoding, next.Size
		latest.chunks, latest.parts, latest.digest, latest.proof = next.chunks, next.parts, next.digest, next.proof
		latest.large, latest.rewrite = head.large || next.large, rewritten(head.rewrite)
		return op.putBoth(ctx, head, &latest, old)
	}
	in := &dynamodb.PutItemInput{TableName: op.table, Item: next.stored(key)}
	in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = unchanged(old)
	return op.onceOn(ctx, old, func(ctx context.Context, once func(*dynamodb.Options)) error {
		_, err := op.client.PutItem(ctx, in, once)
		return err
	})
}

// unlessFailed explains an error other than that of a condition.
func (op *operation) unlessFailed(ctx context.Context, err error) error {
	if _, failed := conditionFailed(err); failed {
		return nil
	}
	return op.explain(ctx, err)
}

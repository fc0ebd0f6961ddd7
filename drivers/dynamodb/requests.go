package dynamodb

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
)

// Items of one request.
const (
	maxGet   = 100 // of a BatchGetItem
	maxWrite = 25  // of a BatchWriteItem
)

// get reads one item, consistently; nil if there is none. Names are the
// attributes to transfer, none for all.
func (op *operation) get(ctx context.Context, key string, names ...string) (attributes, error) {
	in := &dynamodb.GetItemInput{TableName: op.table, Key: keyOf(key), ConsistentRead: aws.Bool(true)}
	in.ProjectionExpression, in.ExpressionAttributeNames = projection(names)
	var out *dynamodb.GetItemOutput
	err := op.do(ctx, func(ctx context.Context) (err error) {
		out, err = op.client.GetItem(ctx, in)
		return err
	})
	if err != nil || len(out.Item) == 0 {
		return nil, err
	}
	return out.Item, nil
}

// getAll reads items by their keys, in requests of at most 100, and returns
// those that are there, by key.
func (op *operation) getAll(ctx context.Context, consistent bool, keys []string, names ...string) (map[string]attributes, error) {
	found := make(map[string]attributes, len(keys))
	expression, aliases := projection(names)
	for len(keys) > 0 {
		n := min(maxGet, len(keys))
		ask := types.KeysAndAttributes{ConsistentRead: aws.Bool(consistent), ProjectionExpression: expression, ExpressionAttributeNames: aliases}
		for _, k := range keys[:n] {
			ask.Keys = append(ask.Keys, keyOf(k))
		}
		keys = keys[n:]
		for attempt := 0; len(ask.Keys) > 0; attempt++ {
			items, left, err := op.getBatch(ctx, ask)
			if err != nil {
				return nil, err
			}
			for _, a := range items {
				if k, ok := a[keyAttribute].(*types.AttributeValueMemberS); ok {
					found[k.Value] = a
				}
			}
			rest := left.Keys
			if len(rest) == len(ask.Keys) {
				if err := op.again(ctx, attempt); err != nil {
					return nil, err
				}
			}
			ask.Keys = rest
		}
	}
	return found, nil
}

// getBatch sends one BatchGetItem, and returns what DynamoDB has left for later.
func (op *operation) getBatch(ctx context.Context, ask types.KeysAndAttributes) ([]attributes, types.KeysAndAttributes, error) {
	var out *dynamodb.BatchGetItemOutput
	err := op.do(ctx, func(ctx context.Context) (err error) {
		out, err = op.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{*op.table: ask}})
		return err
	})
	if err != nil {
		return nil, types.KeysAndAttributes{}, err
	}
	return ofTable(out.Responses), ofTable(out.UnprocessedKeys), nil
}

// ofTable returns what a batch, which is of one table, has brought for it. A table
// that was asked for by its ARN may be answered for by its name.
func ofTable[V any](tables map[string]V) (of V) {
	for _, v := range tables {
		of = v
	}
	return of
}

// write puts and deletes items that nothing refers to yet or any more, in
// requests of at most 25 items.
func (op *operation) write(ctx context.Context, requests []types.WriteRequest) error {
	for len(requests) > 0 {
		n, bytes := 0, 0
		for n < min(maxWrite, len(requests)) && (n == 0 || bytes < 4<<20) {
			bytes += writeSize(requests[n])
			n++
		}
		batch := requests[:n]
		requests = requests[n:]
		for attempt := 0; len(batch) > 0; attempt++ {
			var out *dynamodb.BatchWriteItemOutput
			err := op.do(ctx, func(ctx context.Context) (err error) {
				out, err = op.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*op.table: batch}})
				return err
			})
			if err != nil {
				return err
			}
			rest := ofTable(out.UnprocessedItems)
			if len(rest) == len(batch) {
				if err := op.again(ctx, attempt); err != nil {
					return err
				}
			}
			batch = rest
		}
	}
	return nil
}

// putTogether puts items, all of them or none, one of them on condition that old is
// still there as it was read. The error is DynamoDB's own.
func (op *operation) putTogether(ctx context.Context, old *item, puts ...*types.Put) error {
	in := &dynamodb.TransactWriteItemsInput{}
	for _, p := range puts {
		in.TransactItems = append(in.TransactItems, types.TransactWriteItem{Put: p})
	}
	return op.onceOn(ctx, old, func(ctx context.Context, once func(*dynamodb.Options)) error {
		_, err := op.client.TransactWriteItems(ctx, in, once)
		return err
	})
}

func (op *operation) throttled() error {
	return fmt.Errorf("%w: the table %q is throttled; try again later, or give it more capacity", driver.ErrUnavailable, op.cfg.Table)
}

// writeSize estimates the bytes of a write.
func writeSize(w types.WriteRequest) int {
	if w.PutRequest == nil {
		return 100
	}
	n := 1000
	for _, name := range []string{"state", "data"} {
		switch v := w.PutRequest.Item[name].(type) {
		case *types.AttributeValueMemberS:
			n += len(v.Value)
		case *types.AttributeValueMemberB:
			n += len(v.Value)
		}
	}
	return n
}

func put(item attributes) types.WriteRequest {
	return types.WriteRequest{PutRequest: &types.PutRequest{Item: item}}
}

func remove(key string) types.WriteRequest {
	return types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: keyOf(key)}}
}

// projection names attributes by aliases, since many of them are words that
// DynamoDB reserves.
func projection(names []string) (*string, map[string]string) {
	if len(names) == 0 {
		return nil, nil
	}
	text := ""
	aliases := make(map[string]string, len(names))
	for i, name := range names {
		if i > 0 {
			text += ","
		}
		text += "#" + name
		aliases["#"+name] = name
	}
	return &text, aliases
}

// infoNames are the attributes of an item without its payload.
var infoNames = []string{
	keyAttribute, "version", "id", "encoding", "size", "metadata", "created_at", "saved_at", "expires_at", "updated_at", "ttl",
	"chunks", "parts", "digest", "life", "first", "swept", "ids", "large", "rewrite", "base", "proof", "runs",
}

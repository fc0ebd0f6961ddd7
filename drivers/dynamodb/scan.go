package dynamodb

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// segments is in how many parts a table is read at the same time.
const segments = 4

// scanAll reads everything that a scan lets through and calls each with it, one at a
// time and in any order. A table of one page, 1 MB, is one request. One of more is read
// anew in segments at the same time, as many as the queue has room for at once: an
// operation that has its place does not wait for another.
func (op *operation) scanAll(ctx context.Context, in dynamodb.ScanInput, each func(attributes) error) error {
	first, err := op.scanPage(ctx, &in)
	if err != nil {
		return err
	}
	readers := []*operation{op}
	for in.ExclusiveStartKey != nil && len(readers) < segments && op.queue.TryEnter() {
		readers = append(readers, &operation{backend: op.backend, client: op.client, table: op.table})
	}
	if len(readers) == 1 {
		if err := eachOf(first, each); err != nil || in.ExclusiveStartKey == nil {
			return err
		}
		return op.scanRest(ctx, in, each)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		mu     sync.Mutex
		failed error // the first one's, which ends the others
		wg     sync.WaitGroup
	)
	in.ExclusiveStartKey = nil
	in.TotalSegments = aws.Int32(int32(len(readers)))
	for n, reader := range readers {
		segment := in
		segment.Segment = aws.Int32(int32(n))
		wg.Go(func() {
			if reader != op {
				defer op.queue.Leave(false)
			}
			err := reader.scanRest(ctx, segment, func(a attributes) error {
				mu.Lock()
				defer mu.Unlock()
				return each(a)
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil && failed == nil {
				failed = err
				cancel()
			}
		})
	}
	wg.Wait()
	return failed
}

// filtered is a consistent scan of the table for some attributes of the items that a
// filter, which may speak of #list, lets through.
func (op *operation) filtered(filter string, values attributes, names ...string) dynamodb.ScanInput {
	expression, aliases := projection(names)
	aliases["#list"] = listAttribute
	return dynamodb.ScanInput{
		TableName: op.table, FilterExpression: &filter, ProjectionExpression: expression, ConsistentRead: aws.Bool(true),
		ExpressionAttributeNames: aliases, ExpressionAttributeValues: values,
	}
}

// scanRest reads page by page to the end.
func (op *operation) scanRest(ctx context.Context, in dynamodb.ScanInput, each func(attributes) error) error {
	for {
		page, err := op.scanPage(ctx, &in)
		if err != nil {
			return err
		}
		if err := eachOf(page, each); err != nil || in.ExclusiveStartKey == nil {
			return err
		}
	}
}

// scanPage reads a page, and sets where the next begins, nil after the last.
func (op *operation) scanPage(ctx context.Context, in *dynamodb.ScanInput) ([]attributes, error) {
	var out *dynamodb.ScanOutput
	err := op.do(ctx, func(ctx context.Context) (err error) {
		out, err = op.client.Scan(ctx, in)
		return err
	})
	if err != nil {
		return nil, err
	}
	in.ExclusiveStartKey = out.LastEvaluatedKey
	return out.Items, nil
}

func eachOf(page []attributes, each func(attributes) error) error {
	for _, a := range page {
		if err := each(a); err != nil {
			return err
		}
	}
	return nil
}

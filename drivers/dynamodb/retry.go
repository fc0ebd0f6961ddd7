package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/go-ckpt/checkpoint/driver"
)

// do sends a request that may be repeated without harm, with the SDK's own
// repetitions, within the time for one request.
func (s *session) do(ctx context.Context, send func(context.Context) error) error {
	attempt := func() error {
		bounded, cancel := context.WithTimeout(ctx, requestTime)
		defer cancel()
		if err := s.signable(bounded); err != nil {
			return err
		}
		return send(bounded)
	}
	err := attempt()
	if made, failed := s.makeMissing(ctx, err); failed != nil {
		return failed
	} else if made {
		err = attempt()
	}
	return s.explain(ctx, err)
}

// once sends a request that must be applied once. It is repeated only where it
// cannot have been applied: where no connection was made, or the service
// refused it for now. The error is DynamoDB's own; see ambiguous.
func (s *session) once(ctx context.Context, send func(context.Context, func(*dynamodb.Options)) error) error {
	several := func() error {
		bounded, cancel := context.WithTimeout(ctx, onceTime)
		defer cancel()
		if err := s.signable(bounded); err != nil {
			return err
		}
		for attempt := 0; ; attempt++ {
			err := send(bounded, func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} })
			if err == nil || !refused(err) || attempt == 8 || !wait(bounded, attempt) {
				return err
			}
		}
	}
	err := several()
	if made, failed := s.makeMissing(ctx, err); failed != nil {
		return failed
	} else if made {
		err = several()
	}
	return err
}

// signable looks whether there are credentials to sign a request with, which are
// cached once they have been found. The SDK would ask for them again and again
// until the time for the request is over, and its error would not say why.
func (s *session) signable(ctx context.Context) error {
	if s.credentials == nil {
		return nil
	}
	if _, err := s.credentials.Retrieve(ctx); err != nil {
		return fmt.Errorf("%w: there are no AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role", driver.ErrUnavailable)
	}
	return nil
}

// makeMissing makes the table if an error says that it is missing and
// create_table asks for it: nobody has called Ping. It reports whether the
// request is to be sent again; it was not applied.
func (s *session) makeMissing(ctx context.Context, err error) (bool, error) {
	if !s.cfg.CreateTable || s.preparing || !errors.As(err, new(*types.ResourceNotFoundException)) {
		return false, nil
	}
	if err := s.prepare(ctx); err != nil {
		return false, err
	}
	return true, nil
}

// wait pauses before another attempt, up to 25 ms after the first and twice as
// long after each further one, and reports whether ctx is still there.
func wait(ctx context.Context, attempt int) bool {
	longest := min(25*time.Millisecond<<min(attempt, 8), time.Second)
	timer := time.NewTimer(rand.N(longest) + time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// refused reports whether a request was certainly not applied and may succeed
// when it is sent again.
func refused(err error) bool {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		switch api.ErrorCode() {
		case "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "TransactionConflictException", "ReplicatedWriteConflictException", "LimitExceededException":
			return true
		}
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// ambiguous reports whether a request that failed may have been applied: there
// was no answer, or one that says that the service failed.
func ambiguous(err error) bool {
	if err == nil || refused(err) || isOurs(err) {
		return false
	}
	api, ok := errors.AsType[smithy.APIError](err)
	return !ok || api.ErrorFault() == smithy.FaultServer
}

// conditionFailed returns the item that did not meet a condition, nil where
// there was none, and whether that was the error at all.
func conditionFailed(err error) (attributes, bool) {
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		return nil, false
	}
	return failed.Item, true
}

// explain turns an error of the SDK into one of package driver that says what to
// do about it. The SDK's texts may name hosts and account numbers, and are not
// shown.
func (s *session) explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case isOurs(err):
		return err
	}
	unavailable := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{driver.ErrUnavailable}, args...)...)
	}
	table := s.cfg.Table
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		if errors.As(err, new(*net.OpError)) || errors.Is(err, context.DeadlineExceeded) {
			return unavailable("DynamoDB does not answer; check the network, the region and the word endpoint")
		}
		return unavailable("the request to DynamoDB failed before it was answered; check the network, the region and the word endpoint")
	}
	switch code := api.ErrorCode(); code {
	case "ResourceNotFoundException":
		return unavailable("the table %q, or its index, does not exist in this region; create it with create_table=true or the AWS CLI, or give its region", table)
	case "AccessDeniedException":
		action := "this"
		if op, ok := errors.AsType[*smithy.OperationError](err); ok {
			action = "dynamodb:" + op.Operation()
		}
		return unavailable("these credentials may not do %s on the table %q; grant the actions that the driver's documentation lists", action, table)
	case "UnrecognizedClientException", "InvalidSignatureException", "IncompleteSignatureException", "ExpiredTokenException", "MissingAuthenticationTokenException", "InvalidClientTokenId":
		return unavailable("AWS does not accept these credentials (%s); check them, and the clock of this machine", code)
	case "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded":
		return unavailable("the table %q is throttled (%s); try again later, or give it more capacity", table, code)
	case "ValidationException":
		return fmt.Errorf("%w: DynamoDB does not take the request for the table %q; is its only key the string %s?", driver.ErrInvalid, table, keyAttribute)
	default:
		return unavailable("DynamoDB answered %s", code)
	}
}

func isOurs(err error) bool {
	for _, own := range []error{driver.ErrNotFound, driver.ErrConflict, driver.ErrClosed, driver.ErrInvalid, driver.ErrTooLarge, driver.ErrUnavailable, driver.ErrCorrupt} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// get reads one item, consistently; nil if there is none. Names are the
// attributes to transfer, none for all.
func (s *session) get(ctx context.Context, key string, names ...string) (attributes, error) {
	in := &dynamodb.GetItemInput{TableName: s.table, Key: keyOf(key), ConsistentRead: aws.Bool(true)}
	in.ProjectionExpression, in.ExpressionAttributeNames = projection(names)
	var out *dynamodb.GetItemOutput
	err := s.do(ctx, func(ctx context.Context) (err error) {
		out, err = s.client.GetItem(ctx, in)
		return err
	})
	if err != nil || len(out.Item) == 0 {
		return nil, err
	}
	return out.Item, nil
}

// getAll reads items by their keys, in requests of at most 100, and returns
// those that are there, by key.
func (s *session) getAll(ctx context.Context, consistent bool, keys []string, names ...string) (map[string]attributes, error) {
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
			var out *dynamodb.BatchGetItemOutput
			err := s.do(ctx, func(ctx context.Context) (err error) {
				out, err = s.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{*s.table: ask}})
				return err
			})
			if err != nil {
				return nil, err
			}
			for _, a := range out.Responses[*s.table] {
				if k, ok := a[keyAttribute].(*types.AttributeValueMemberS); ok {
					found[k.Value] = a
				}
			}
			rest := out.UnprocessedKeys[*s.table].Keys
			if len(rest) == len(ask.Keys) {
				if attempt == 8 {
					return nil, fmt.Errorf("%w: the table %q is throttled; try again later, or give it more capacity", driver.ErrUnavailable, *s.table)
				}
				if !wait(ctx, attempt) {
					return nil, ctx.Err()
				}
			}
			ask.Keys = rest
		}
	}
	return found, nil
}

// write puts and deletes items that nothing refers to yet or any more, in
// requests of at most 25 items.
func (s *session) write(ctx context.Context, requests []types.WriteRequest) error {
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
			err := s.do(ctx, func(ctx context.Context) (err error) {
				out, err = s.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*s.table: batch}})
				return err
			})
			if err != nil {
				return err
			}
			rest := out.UnprocessedItems[*s.table]
			if len(rest) == len(batch) && (attempt == 8 || !wait(ctx, attempt)) {
				if err := ctx.Err(); err != nil {
					return err
				}
				return fmt.Errorf("%w: the table %q is throttled; try again later, or give it more capacity", driver.ErrUnavailable, *s.table)
			}
			batch = rest
		}
	}
	return nil
}

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
	"chunks", "parts", "digest", "life", "first", "swept", "ids", "large", "rewrite",
}

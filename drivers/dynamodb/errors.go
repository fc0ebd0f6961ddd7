package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/backends"
)

// ambiguous reports whether a request that failed may have been applied: there
// was no answer, or one that says that the service failed.
func ambiguous(err error) bool {
	if err == nil || refused(err) || backends.Classified(err) {
		return false
	}
	api, ok := errors.AsType[smithy.APIError](err)
	return !ok || api.ErrorFault() == smithy.FaultServer
}

// conditionFailed returns the item that did not meet a condition, nil where
// there was none, and whether that was the error at all.
func conditionFailed(err error) (attributes, bool) {
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		for _, reason := range canceled.CancellationReasons {
			if aws.ToString(reason.Code) == "ConditionalCheckFailed" {
				return reason.Item, true
			}
		}
		return nil, false
	}
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		return nil, false
	}
	return failed.Item, true
}

// missing is the error for a table that is not there, or of which nothing may be
// known.
func (c Config) missing(what string) error {
	if _, _, isARN := parseARN(c.Table); isARN {
		return fmt.Errorf("%w: the table %q%s does not exist; give the ARN of one that does, or create it in its account", driver.ErrUnavailable, c.Table, what)
	}
	return fmt.Errorf("%w: the table %q%s does not exist in this region; create it with create_table=true or the AWS CLI, or give its region, or the ARN of another account's", driver.ErrUnavailable, c.Table, what)
}

// explain turns an error of the SDK into one of package driver that says what to
// do about it. The SDK's texts may name hosts and account numbers, and are not
// shown.
func (op *operation) explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case backends.Classified(err):
		return err
	}
	unavailable := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{driver.ErrUnavailable}, args...)...)
	}
	table := op.cfg.Table
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		if errors.As(err, new(*net.OpError)) || errors.Is(err, context.Canceled) {
			return unavailable("DynamoDB does not answer; check the network, the region and the word endpoint")
		}
		return unavailable("the request to DynamoDB failed before it was answered; check the network, the region and the word endpoint")
	}
	switch code := api.ErrorCode(); code {
	case "ResourceNotFoundException":
		return op.cfg.missing(", or its index,")
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

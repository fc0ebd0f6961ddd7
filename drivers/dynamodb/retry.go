package dynamodb

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/go-ckpt/checkpoint/internal/backends"
)

// Times, in which the database answers nobody, and numbers of attempts, where ctx
// allows as much.
const (
	requestTime = 9 * time.Second // for one request with its repetitions
	onceTime    = 6 * time.Second // for one that is applied once, after which a look at what became of it has the rest
	refusals    = 8               // repetitions of a request that was refused for now
	rivalries   = 50              // to change a thread that others change at the same time, a tenth of a second apart
)

// do sends a request that may be repeated without harm, with the SDK's own
// repetitions, within the time for one request.
func (op *operation) do(ctx context.Context, send func(context.Context) error) error {
	attempt := func() error {
		bounded, cancel := op.patience(ctx, requestTime)
		defer cancel()
		if err := op.signable(bounded); err != nil {
			return err
		}
		err := send(bounded)
		op.heard(err)
		return err
	}
	err := attempt()
	if made, failed := op.makeMissing(ctx, err); failed != nil {
		return failed
	} else if made {
		err = attempt()
	}
	return op.explain(ctx, err)
}

// once sends a request that must be applied once. It is repeated only where it
// cannot have been applied: where no connection was made, or the service
// refused it for now. The error is DynamoDB's own; see ambiguous.
func (op *operation) once(ctx context.Context, send func(context.Context, func(*dynamodb.Options)) error) error {
	several := func() error {
		bounded, cancel := op.patience(ctx, onceTime)
		defer cancel()
		if err := op.signable(bounded); err != nil {
			return err
		}
		for attempt := 0; ; attempt++ {
			err := send(bounded, func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} })
			if err == nil || !refused(err) || op.again(bounded, attempt) != nil {
				op.heard(err)
				return err
			}
		}
	}
	err := several()
	if made, failed := op.makeMissing(ctx, err); failed != nil {
		return failed
	} else if made {
		err = several()
	}
	return err
}

// lostAnswers is how many more times a request is sent whose answer was lost.
const lostAnswers = 2

// onceOn sends a write on condition that an item is as it was read, which only one of
// several attempts can meet, so that it is sent again where its answer was lost. If the
// condition does not hold then, an earlier attempt may have been applied: the error is
// the lost answer's. No item, or another program's, may be there again after an attempt
// was applied: a write on condition of that is sent once.
func (op *operation) onceOn(ctx context.Context, old *item, send func(context.Context, func(*dynamodb.Options)) error) error {
	if old == nil || old.legacy {
		return op.once(ctx, send)
	}
	var lost error
	for attempt := 0; ; attempt++ {
		err := op.once(ctx, send)
		if _, failed := conditionFailed(err); failed && lost != nil {
			return lost
		}
		if !ambiguous(err) || errors.Is(err, context.Canceled) || attempt == lostAnswers {
			return err
		}
		lost = err
		if op.again(ctx, attempt) != nil {
			return lost
		}
	}
}

// makeMissing makes the table if an error says that it is missing and
// create_table asks for it: nobody has called Ping. It reports whether the
// request is to be sent again; it was not applied.
func (op *operation) makeMissing(ctx context.Context, err error) (bool, error) {
	if !op.cfg.CreateTable || op.preparing || !errors.As(err, new(*types.ResourceNotFoundException)) {
		return false, nil
	}
	if err := op.prepare(ctx); err != nil {
		return false, err
	}
	return true, nil
}

// pause waits before another attempt, counted from 0: 15 ms, and each time twice
// as long, up to a second.
func pause(ctx context.Context, attempt int) error {
	return backends.Sleep(ctx, backends.Backoff(attempt, 15*time.Millisecond, time.Second))
}

// refused reports whether a request was certainly not applied and may succeed
// when it is sent again.
func refused(err error) bool {
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		for _, reason := range canceled.CancellationReasons {
			switch aws.ToString(reason.Code) {
			case "None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			default:
				return false // ConditionalCheckFailed, or what another attempt does not mend
			}
		}
		return true
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		switch api.ErrorCode() {
		case "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "TransactionConflictException", "ReplicatedWriteConflictException", "LimitExceededException":
			return true
		}
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

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

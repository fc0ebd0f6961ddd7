package checkpointtest

import (
	"context"

	"github.com/go-ckpt/checkpoint/driver"
)

// VerifyDriver runs the cases of RunDriver without go test.
func VerifyDriver(ctx context.Context, d driver.Driver, dsns DSNs) Report {
	s := newSuite(nil)
	return Report{s.verify(ctx, openCases(d, dsns), func(Result) {})}
}

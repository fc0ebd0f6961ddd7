package checkpointtest

import (
	"context"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// VerifyDriver runs the cases of RunDriver without go test.
func VerifyDriver(ctx context.Context, d driver.Driver, dsns DSNs) Report {
	s := newSuite(nil)
	return Report{s.verify(ctx, openCases(d, dsns), func(Result) {})}
}

// Heavy has the cases that go test -short leaves out.
func Heavy() map[string]bool {
	heavy := make(map[string]bool)
	for _, c := range newSuite(nil).cases() {
		heavy[c.name] = c.heavy
	}
	return heavy
}

// Patience is how long a case goes on making more of something than it needs to, before
// it says how many it was. Tests of what is found by many are not about speed.
func Patience(d time.Duration) Option {
	return func(s *suite) { s.patience = d }
}

// Short makes the cases do what they do under go test -short.
func Short(short bool) Option { return func(s *suite) { s.short = short } }

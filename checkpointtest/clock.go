package checkpointtest

import (
	"context"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// likelyCause says what is probably behind a failure that is about time: a backend
// that asks a clock of its own. It is looked for after a failure alone.
func (s *suite) likelyCause(ctx context.Context, tb testing.TB, c testCase) string {
	cause := ""
	if c.rule != 5 && c.name != "Raw/Save/Times" && c.name != "Raw/Save/Info" {
		return cause
	}
	probe := testCase{name: c.name, run: func(t *trial) {
		b := t.open()
		req := t.request("clock")
		req.ExpiresAt = t.now.Add(time.Hour)
		info, err := b.Save(t.ctx, req)
		if err != nil {
			return
		}
		if off := time.Since(info.SavedAt).Abs(); off < 10*time.Minute {
			cause = "\n\tlikely cause: SavedAt is the time of a wall clock and not the request's Now, which lies an hour ahead"
			return
		}
		_, err = b.Load(t.ctx, driver.LoadRequest{Key: req.Key, Now: req.ExpiresAt})
		if err == nil {
			cause = "\n\tlikely cause: expiry is decided by a wall clock, or not at all, and not by the request's Now, which lies ahead"
		}
	}}
	newTrial(ctx, s, tb).run(probe)
	return cause
}

package redis

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// rewrite exchanges a payload. It may be repeated: the second time it writes
// what is there, or finds that another life has begun.
func (b *backend) rewrite(ctx context.Context, req driver.RewriteRequest) error {
	if len(req.Payload) > maxPayload {
		return fmt.Errorf("%w: %d bytes, and a value in Redis has at most %d", driver.ErrTooLarge, len(req.Payload), maxPayload)
	}
	keys := b.layout.thread(req.Key)[:2]
	payload := &blob{data: req.Payload}
	if b.calls == nil {
		payload.data = bytes.Clone(req.Payload) // see apart
	}
	created := ""
	if !req.CreatedAt.IsZero() {
		created = strconv.FormatInt(req.CreatedAt.UnixMicro(), 10)
	}
	argv := []any{req.Version, escape(req.ID), req.Now.UnixMicro(), len(req.Payload), escape(req.Encoding), escape(req.Digest), created, payload}
	start := time.Now()
	found, err := do(ctx, b, always, func(ctx context.Context) (bool, error) {
		cmd, err := process(ctx, b, rewriteScript, b.client.Process, func(bySource bool) onceAny {
			return anyOf(ctx, rewriteScript.args(bySource, false, keys, argv...)...)
		})
		if err != nil {
			return false, err
		}
		return cmd.Bool()
	})
	if err != nil {
		if b.judge(err) == unreachable && b.refusedSize(ctx, start.Add(patience), len(req.Payload)) {
			err = errValueTooLarge
		}
		return b.report(ctx, err)
	}
	if !found {
		return driver.ErrNotFound
	}
	return nil
}

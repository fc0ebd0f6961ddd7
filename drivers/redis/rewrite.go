package redis

import (
	"bytes"
	"context"
	"fmt"

	"github.com/go-ckpt/checkpoint/driver"
)

// Rewrite implements driver.Rewriter. It may be repeated: the second time it
// writes what is there.
func (b *backend) Rewrite(ctx context.Context, req driver.RewriteRequest) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	if len(req.Payload) > maxPayload {
		return fmt.Errorf("%w: %d bytes, and a value in Redis has at most %d", driver.ErrTooLarge, len(req.Payload), maxPayload)
	}
	if err := b.ready(ctx); err != nil {
		return b.report(ctx, err)
	}
	keys := b.layout.thread(req.Key)[:2]
	payload := &blob{data: req.Payload}
	if b.calls == nil {
		payload.data = bytes.Clone(req.Payload) // see apart
	}
	argv := []any{req.Version, escape(req.ID), req.Now.UnixMicro(), len(req.Payload), escape(req.Encoding), payload}
	found, err := do(ctx, b, always, func(ctx context.Context) (bool, error) {
		cmd, err := process(ctx, b.client, func(bySource bool) onceAny {
			return anyOf(ctx, rewriteScript.args(bySource, false, keys, argv...)...)
		})
		if err != nil {
			return false, err
		}
		return cmd.Bool()
	})
	if err != nil {
		return b.report(ctx, err)
	}
	if !found {
		return driver.ErrNotFound
	}
	return nil
}

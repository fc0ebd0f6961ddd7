package checkpoint

import (
	"context"
	"log/slog"
	"time"
)

// An operation is one call of a method of a Store: what the observer and the log
// are told, and what its error says.
type operation struct {
	store    *Store
	ctx      context.Context
	name     string
	thread   string
	began    time.Time // zero when nothing is logged
	observed func(Result)
}

// start begins an operation. The context that it returns is the one to go on with:
// an observer may have put a span into it.
func (s *Store) start(ctx context.Context, name, thread string) (context.Context, operation) {
	op := operation{store: s, name: name, thread: thread}
	if s.observer != nil {
		ctx, op.observed = s.observer.Start(ctx, Operation{Name: name, Driver: s.conn.driver, Namespace: s.namespace})
	}
	if s.log != nil {
		op.began = time.Now()
	}
	op.ctx = ctx
	return ctx, op
}

// end wraps err, counts the operation, and tells the observer and the log.
func (op *operation) end(info Info, err error) error {
	s := op.store
	err = s.fail(op.name, op.thread, err)
	s.conn.counts.count(op.name, err)
	if op.observed != nil {
		op.observed(Result{Version: info.Version, Bytes: info.Size, Base: info.Base, Err: err})
	}
	if s.log != nil && s.log.Enabled(op.ctx, slog.LevelDebug) {
		s.log.LogAttrs(op.ctx, slog.LevelDebug, "checkpoint",
			slog.String("op", op.name),
			slog.String("driver", s.conn.driver),
			slog.String("namespace", s.namespace),
			slog.String("thread", op.thread),
			slog.Int64("version", info.Version),
			slog.Int("bytes", info.Size),
			slog.Duration("duration", time.Since(op.began)),
			slog.Any("error", err))
	}
	return err
}

// fail wraps the error of a method; nil stays nil.
func (s *Store) fail(op, thread string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Driver: s.conn.driver, Thread: thread, Err: err}
}

package postgres

import (
	"context"
	"fmt"
	"io"
	"log/slog"
)

// SetLogger implements driver.LoggerSetter.
func (b *backend) SetLogger(l *slog.Logger) { b.logger = l }

// progress tells an operator how a migration goes on.
func (b *backend) progress(ctx context.Context, msg string, args ...any) {
	if b.logger != nil {
		b.logger.InfoContext(ctx, msg, append([]any{slog.String("table", b.cfg.Table)}, args...)...)
	}
}

// warn tells an operator, once, of a server whose certificate is not verified.
func (b *backend) warn(ctx context.Context) {
	if !b.cfg.unverified {
		return
	}
	b.warned.unverified.Do(func() {
		b.warning(ctx, "checkpoint: the PostgreSQL server's certificate is not verified, and without TLS on it states and passwords cross the network in the clear; add sslmode=verify-full to the DSN, or sslmode=prefer if the network is yours",
			slog.String("host", shownHost(b.cfg.server.Host)))
	})
}

// warnOfPolicies tells an operator, once, that rows may be hidden.
func (b *backend) warnOfPolicies(ctx context.Context) {
	b.warned.policies.Do(func() {
		b.warning(ctx, "checkpoint: row level security filters what this account sees of the tables: threads that its policies hide look absent",
			slog.String("table", b.cfg.Table))
	})
}

// warning logs to the application's logger, or to the default one.
func (b *backend) warning(ctx context.Context, msg string, args ...any) {
	l := b.logger
	if l == nil {
		l = slog.Default()
	}
	l.WarnContext(ctx, msg, args...)
}

// Format implements fmt.Formatter: no verb shows a password.
func (b *backend) Format(f fmt.State, _ rune) {
	io.WriteString(f, "postgres backend "+fmt.Sprint(b.cfg))
}

// LogValue implements slog.LogValuer.
func (b *backend) LogValue() slog.Value { return b.cfg.LogValue() }

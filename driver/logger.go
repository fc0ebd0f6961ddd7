package driver

import "log/slog"

// LoggerSetter is implemented by backends that have something to tell an
// operator: a setting that endangers states, the progress of a migration.
type LoggerSetter interface {
	// SetLogger is called at most once, before the first operation, when the
	// application gave package checkpoint a logger. Without it a backend logs
	// warnings to slog.Default and nothing else. Payloads, passwords and keys
	// MUST NOT be logged.
	SetLogger(l *slog.Logger)
}

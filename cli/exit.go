package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// The exit statuses.
const (
	statusDone        = 0
	statusFailed      = 1
	statusUsage       = 2
	statusNotFound    = 3
	statusConflict    = 4
	statusInterrupted = 130 // 128 + SIGINT, as shells have it; SIGTERM too
)

// A usageError is a mistake in what was typed. Nothing was done.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// errReported ends a command with status 1 when its output has said why.
var errReported = errors.New("failed")

// report writes the error that a command ended with and returns the exit status.
func (a *app) report(err error, interrupted bool) int {
	status := exitStatus(err, interrupted)
	switch {
	case err == nil || errors.Is(err, errReported):
	case status == statusInterrupted:
		fmt.Fprintln(a.err, "checkpoint: interrupted")
	default:
		// A database's own words may be part of it.
		fmt.Fprintln(a.err, "checkpoint: "+terminal.Text(strings.TrimPrefix(err.Error(), "checkpoint: ")))
		if status == statusNotFound {
			a.note("checkpoint list shows the threads of the namespace, checkpoint history THREAD the versions of one")
		}
	}
	return status
}

func exitStatus(err error, interrupted bool) int {
	switch {
	case err == nil:
		return statusDone
	case interrupted: // whatever the operations under way made of it
		return statusInterrupted
	case errors.As(err, new(usageError)), errors.Is(err, checkpoint.ErrInvalid), errors.Is(err, checkpoint.ErrUnknownDriver):
		return statusUsage
	case errors.Is(err, checkpoint.ErrNotFound):
		return statusNotFound
	case errors.Is(err, checkpoint.ErrConflict):
		return statusConflict
	}
	return statusFailed
}

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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

// flagError says what is wrong with a flag, in words of the flag.
func flagError(cmd *cobra.Command, err error) error {
	bad, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return usagef("%w (try %s --help)", err, cmd.CommandPath())
	}
	want := bad.Unwrap().Error()
	switch bad.GetFlag().Value.Type() {
	case "int", "int64":
		want = "want a whole number"
	case "duration":
		want = "want a time such as 500ms, 2s or 1m"
	case "bool":
		want = "want true or false, or nothing"
	}
	return usagef("--%s %q: %s", bad.GetFlag().Name, bad.GetValue(), want)
}

// errReported ends a command with status 1 when its output has said why.
var errReported = errors.New("failed")

// report writes the error that a command ended with and returns the exit status.
func (a *app) report(err error, interrupted bool) int {
	status := exitStatus(err, interrupted)
	if err == nil || errors.Is(err, errReported) {
		return status
	}
	text := errorText(err)
	if status == statusInterrupted {
		text = "interrupted"
	}
	if a.json {
		a.reportJSON(err, text, status)
		return status
	}
	fmt.Fprintln(a.err, "checkpoint: "+terminal.Text(text)) // a database's own words may be part of it
	switch status {
	case statusNotFound:
		a.note("checkpoint list shows the threads of the namespace, checkpoint history THREAD the versions of one")
	case statusConflict:
		a.note("checkpoint load THREAD shows what is there now; start from that")
	}
	return status
}

// reportJSON writes the error as a line of JSON to standard error.
func (a *app) reportJSON(err error, text string, status int) {
	report := struct {
		Error   string    `json:"error"`
		Status  int       `json:"status"`
		Thread  string    `json:"thread,omitempty"`
		Current *infoJSON `json:"current,omitempty"`
	}{Error: text, Status: status}
	if e, ok := errors.AsType[*checkpoint.Error](err); ok {
		report.Thread = e.Thread
	}
	if conflict, ok := errors.AsType[*checkpoint.ConflictError](err); ok && conflict.Current.Version > 0 {
		info := newInfoJSON(conflict.Current)
		report.Current = &info
	}
	if line, err := marshal(report); err == nil {
		fmt.Fprintln(a.err, string(terminal.JSON(line)))
	}
}

// errorText is an error in the words of the command: where package checkpoint
// names what a program would call, it names the flag or the variable instead.
func errorText(err error) string {
	if file, ok := err.(*fs.PathError); ok {
		return fmt.Sprintf("the file %q cannot be used: %v", file.Path, file.Err)
	}
	return commandWords.Replace(strings.TrimPrefix(err.Error(), "checkpoint: "))
}

var commandWords = strings.NewReplacer(
	"stored state is damaged or does not fit: it is encrypted; open the store with WithEncryption and its key", "the state is encrypted; put its key into "+envKeys,
	"stored state is damaged or does not fit: it is not encrypted, and a store with WithEncryption refuses plaintext",
	"the state is not encrypted, and with keys only encrypted states are read; take the keys out of "+envKeys+", or encrypt the states with checkpoint rekey --plaintext",
	"stored state is damaged or does not fit: it was encrypted with a key that is not in this store's keyring", "the state was encrypted with a key that is not among those of "+envKeys,
	"of the keyring has", "has",
	"raise it with WithMaxStateSize or max_state_size", "raise it with max_state_size=BYTES in the store's URL",
	"invalid option: WithID: ", "--id: ",
	"invalid option: IfMatch with what", "--if-match has what",
)

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

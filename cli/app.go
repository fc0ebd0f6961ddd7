package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// The environment of the command.
const (
	envStore     = "CHECKPOINT_STORE"
	envKeys      = "CHECKPOINT_KEYS"
	defaultStore = "sqlite:checkpoints.db"
)

// An app is one run of the command: where it reads and writes, and the flags
// that every command has.
type app struct {
	in        io.Reader
	out       io.Writer
	err       io.Writer
	style     terminal.Style // of out
	store     string         // --store
	profile   string         // --profile
	keys      string         // of the profile
	namespace string         // --namespace
	json      bool           // --json
	quiet     bool           // --quiet
	noPager   bool           // --no-pager

	pagedWidth int // of the terminal behind the pager that out is; 0 when there is none
}

func newApp(in io.Reader, out, err io.Writer) *app {
	return &app{in: in, out: out, err: err, style: terminal.StyleFor(out, os.Getenv)}
}

// printf writes a line of results for people.
func (a *app) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(a.out, format, args...)
	return err
}

// done says what a command that changes something has done.
func (a *app) done(format string, args ...any) error {
	if a.quiet {
		return nil
	}
	return a.printf(format, args...)
}

// note writes a remark that is no result.
func (a *app) note(format string, args ...any) {
	if !a.quiet && !a.json {
		fmt.Fprintln(a.err, terminal.Text(fmt.Sprintf(format, args...)))
	}
}

// printJSON writes one value as a line of JSON.
func (a *app) printJSON(v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	if _, isTerminal := a.width(); isTerminal {
		b = terminal.JSON(b)
	}
	_, err = a.out.Write(append(b, '\n'))
	return err
}

// marshal is json.Marshal without the escapes that only HTML needs.
func marshal(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return []byte(strings.TrimSuffix(b.String(), "\n")), err
}

// table starts a table that fits the terminal, or is as wide as it needs to be
// in a pipe.
func (a *app) table(columns ...terminal.Column) *terminal.Table {
	width, _ := a.width()
	return terminal.NewTable(a.out, width, a.style, columns...)
}

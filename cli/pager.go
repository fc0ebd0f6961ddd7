package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// paged runs f with its output shown by a pager, when that goes to a terminal: the
// one of PAGER, or less, which shows what fits the screen without stopping. An
// empty PAGER, or cat, is none.
func (a *app) paged(cmd *cobra.Command, f func(context.Context) error) error {
	ctx := cmd.Context()
	width, isTerminal := a.width()
	pager := a.pager(isTerminal)
	if pager == nil {
		return f(ctx)
	}
	in, err := pager.StdinPipe()
	if err != nil {
		return f(ctx)
	}
	pager.Stdout, pager.Stderr = a.out, a.err
	if pager.Start() != nil {
		return f(ctx)
	}
	out := a.out
	a.out, a.pagedWidth = in, width
	err = f(ctx)
	a.out, a.pagedWidth = out, 0
	in.Close()
	pager.Wait()
	if isClosedPipe(err) { // the reader has seen enough
		return nil
	}
	return err
}

// pager returns the pager to use, nil for none.
func (a *app) pager(isTerminal bool) *exec.Cmd {
	if !isTerminal || a.json || a.noPager || os.Getenv("TERM") == "dumb" {
		return nil
	}
	words := []string{"less"}
	if own, ok := os.LookupEnv("PAGER"); ok {
		words = strings.Fields(own)
	}
	if len(words) == 0 || words[0] == "cat" {
		return nil
	}
	pager := exec.Command(words[0], words[1:]...)
	if pager.Err != nil {
		return nil // there is none on this machine
	}
	pager.Env = os.Environ()
	if _, ok := os.LookupEnv("LESS"); !ok {
		pager.Env = append(pager.Env, "LESS=FRX") // quit if it fits, show colours, leave the screen
	}
	return pager
}

// width is the width of the terminal that results are written to, through a pager
// too.
func (a *app) width() (int, bool) {
	if a.pagedWidth > 0 {
		return a.pagedWidth, true
	}
	return terminal.Width(a.out)
}

// isClosedPipe reports whether a write failed because nothing reads any more.
func isClosedPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, fs.ErrClosed)
}

package cli

import (
	"context"
	"io"
	"os"

	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// input is standard input until ctx ends: a person's Ctrl-C is answered also while
// nothing comes.
func (a *app) input(ctx context.Context) io.Reader {
	return &input{ctx: ctx, r: a.in, answers: make(chan answer, 1)}
}

type input struct {
	ctx     context.Context
	r       io.Reader
	answers chan answer
}

type answer struct {
	data []byte
	err  error
}

// Read reads in a goroutine, which a read that nothing answers keeps until the
// process ends; after that there are no further reads.
func (in *input) Read(b []byte) (int, error) {
	if err := in.ctx.Err(); err != nil {
		return 0, err
	}
	go func() {
		own := make([]byte, len(b)) // b is the caller's again when ctx ends
		n, err := in.r.Read(own)
		in.answers <- answer{own[:n], err}
	}()
	select {
	case got := <-in.answers:
		return copy(b, got.data), got.err
	case <-in.ctx.Done():
		return 0, in.ctx.Err()
	}
}

func isInteractive(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	_, isTerminal := terminal.Width(f)
	return isTerminal
}

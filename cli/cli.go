package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// Main runs the command line of the process and ends the process with the exit
// status. Interrupts and SIGTERM end what is under way, which says how to go on;
// a second one ends the process at once.
func Main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second one
	return Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// Run runs one command line, args being what stands behind the program's name,
// and returns its exit status: 0 done, 1 failed, 2 wrong use (nothing was done),
// 3 not found, 4 conflict, 130 when ctx ended it. The environment is the
// process's; see "checkpoint --help" for the variables.
func Run(ctx context.Context, args []string, in io.Reader, out, err io.Writer) int {
	a := newApp(in, out, err)
	root := newRoot(a)
	root.SetArgs(args)
	failure := root.ExecuteContext(ctx)
	a.json = a.json || slices.Contains(args, "--json") // also when a flag before it was wrong
	return a.report(failure, ctx.Err() != nil)
}

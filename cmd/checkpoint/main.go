// Checkpoint looks into stores of agent state, puts old states back, and moves
// stores between databases. "checkpoint demo" shows what the library does, and
// "checkpoint --help" lists the commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run())
}

// run runs the command line of the process and returns its exit status.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once

	quiet()
	a := newApp(os.Stdin, os.Stdout, os.Stderr)
	root := newRoot(a)
	root.SetArgs(os.Args[1:])
	err := root.ExecuteContext(ctx)
	return a.report(err, ctx.Err() != nil)
}

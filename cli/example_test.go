package cli_test

import (
	"context"
	"os"
	"strings"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/cli"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// shelf is a driver that the command is not built with.
type shelf struct{ memory.Driver }

// Open implements driver.Driver.
func (s *shelf) Open(dsn string) (driver.Backend, error) {
	return s.Driver.Open(strings.Replace(dsn, "shelf:", "memory:", 1))
}

// ExampleDSN implements driver.Exampler.
func (*shelf) ExampleDSN(name string) string { return name + ":TOP" }

func init() { checkpoint.Register("shelf", new(shelf)) }

// A program has the command with another driver in it: whatever is registered can
// be named by a URL. Its main function is one call of Main.
func Example() {
	run := func(stdin string, args ...string) {
		cli.Run(context.Background(), args, strings.NewReader(stdin), os.Stdout, os.Stderr)
	}
	run("", "drivers")
	run(`{"step": 1}`, "save", "user-123", "--store", "shelf:top", "--quiet")
	run("", "load", "user-123", "--store", "shelf:top")
	// Output:
	// boxes           boxes:agents.box
	// memory          memory:NAME
	// shelf           shelf:TOP
	// {"step":1}
}

// Agent is an agent whose state outlives its process. It takes stock of a folder,
// a step at a time, and saves after every step; stopped anywhere, by Ctrl-C, a
// crash or -steps, the next run goes on where it was:
//
//	go run ./examples/agent -steps 2
//	go run ./examples/agent
//
// The database is a matter of two flags:
//
//	go run ./examples/agent -driver postgres -dsn 'postgres://localhost/agents?history=all'
//	go run ./examples/agent -driver redis -dsn 'redis://localhost:6379/0?ttl=24h'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/dynamodb"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
	_ "github.com/go-ckpt/checkpoint/drivers/postgres"
	_ "github.com/go-ckpt/checkpoint/drivers/redis"
	_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Fatal("agent: ", err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	driver := flags.String("driver", "sqlite", "the store's driver: "+strings.Join(checkpoint.Drivers(), ", "))
	dsn := flags.String("dsn", "agents.db?history=all", "the store's data source name")
	thread := flags.String("thread", "user-123", "the thread that the state is saved under")
	folder := flags.String("folder", ".", "the folder to take stock of, for a new thread")
	steps := flags.Int("steps", -1, "do at most so many steps now; -1 for all")
	if err := flags.Parse(args); err != nil {
		return err
	}

	store, err := checkpoint.Open(*driver, *dsn)
	if err != nil {
		return err
	}
	defer store.Close()

	agent := NewAgent(
		WithCheckpointer(store),
		WithTool("list the files", listFiles),
		WithTool("measure them", measure),
		WithTool("find the largest", findLargest),
		WithTool("write the report", writeReport),
	)
	switch info, err := agent.LoadState(ctx, *thread); {
	case errors.Is(err, checkpoint.ErrNotFound):
		fmt.Fprintf(out, "%s is new: taking stock of %s\n", *thread, *folder)
		agent.Begin(*folder)
	case err != nil:
		return err
	default:
		fmt.Fprintf(out, "%s goes on from version %d, saved at %s\n", *thread, info.Version, info.SavedAt.Format("15:04:05"))
	}

	for ; *steps != 0 && !agent.Done(); *steps-- {
		todo, err := agent.Step(ctx)
		if err != nil {
			return err
		}
		info, err := agent.SaveState(ctx, *thread)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-18s saved as version %d\n", todo, info.Version)
	}
	if agent.Done() {
		fmt.Fprintf(out, "\n%s", agent.State.Files["report.md"])
	}
	return nil
}

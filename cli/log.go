package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/anystate"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newLog(a *app) *cobra.Command {
	l := logging{app: a}
	cmd := &cobra.Command{
		Use:   "log THREAD",
		Short: "Print the states of a thread's versions, one a line",
		Long: `Log prints the states of the kept versions of a thread, the oldest first, each as
one line of JSON: the events of a thread that is used as a log. States that are
no JSON are base64 in a JSON string. With --json each line also has what is known
of the version, as "checkpoint load --json" has it.

With --follow it waits for new versions and prints them, also those of a thread
that does not exist yet, or that is deleted and begins again, until it is
interrupted. Versions that are dropped between two looks are not seen.

A state that cannot be read is named on standard error, the others are printed,
and the exit status is 1.`,
		Example: `  checkpoint log user-123 --from 40
  checkpoint log user-123 --newest --limit 10
  checkpoint log user-123 --follow | jq .text`,
		Args:              arguments(1, 1, "THREAD"),
		ValidArgsFunction: a.completeThread(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := l.check(); err != nil {
				return err
			}
			if l.follow {
				return l.run(cmd.Context(), args[0])
			}
			return a.paged(cmd, func(ctx context.Context) error { return l.run(ctx, args[0]) })
		},
	}
	flags := cmd.Flags()
	flags.Int64Var(&l.From, "from", 0, "the lowest version `N`; 0 is the oldest that is kept")
	flags.Int64Var(&l.To, "to", 0, "the highest version `N`; 0 is the latest")
	flags.IntVar(&l.Limit, "limit", 0, "at most `N` versions; 0 is all")
	flags.BoolVar(&l.Newest, "newest", false, "the newest first")
	flags.BoolVarP(&l.follow, "follow", "f", false, "wait for new versions, and print them")
	flags.DurationVar(&l.interval, "interval", time.Second, "with --follow: how long to wait between two looks")
	return cmd
}

// A logging is one run of log.
type logging struct {
	*app
	checkpoint.VersionsOptions
	follow   bool
	interval time.Duration
	broken   int64 // versions that could not be read
}

func (l *logging) check() error {
	switch {
	case l.From < 0 || l.To < 0 || l.Limit < 0:
		return usagef("--from, --to or --limit is negative; 0 is no bound")
	case l.To > 0 && l.From > l.To:
		return usagef("--from %d is above --to %d", l.From, l.To)
	case l.follow && (l.Newest || l.To > 0 || l.Limit > 0):
		return usagef("--follow goes on, and has no --to, --limit or --newest")
	case l.interval < shortestInterval:
		return usagef("--interval %v: want at least %v", l.interval, shortestInterval)
	}
	return nil
}

// shortestInterval is how often a store is asked at most whether there is news.
const shortestInterval = 100 * time.Millisecond

func (l *logging) run(ctx context.Context, thread string) error {
	store, err := l.open()
	if err != nil {
		return err
	}
	defer store.Close()
	last, err := l.print(ctx, store, thread)
	if err == nil && l.follow {
		return l.goOn(ctx, store, thread, last)
	}
	if err == nil && last.Version == 0 {
		err = there(ctx, store, thread) // an absent thread, or an empty range
	}
	if err == nil && l.broken > 0 {
		err = fmt.Errorf("%s could not be read", human.Count(l.broken, "version"))
	}
	return err
}

// print writes the versions and returns the Info of the one that was written last.
func (l *logging) print(ctx context.Context, store *checkpoint.Store, thread string) (last checkpoint.Info, err error) {
	for v, err := range store.Versions(ctx, thread, l.VersionsOptions) {
		if err != nil {
			return last, err
		}
		last = v.Info
		st, err := anystate.Decode(v)
		if err != nil {
			l.broken++
			fmt.Fprintf(l.err, "version %d: %s\n", v.Info.Version, terminal.Text(errorText(err)))
			continue
		}
		if err := l.line(st); err != nil {
			return last, err
		}
	}
	return last, nil
}

// line writes a state on a line of its own.
func (l *logging) line(st anystate.State) error {
	switch {
	case l.json:
		return l.printState(st)
	case st.IsJSON:
		return l.printJSON(json.RawMessage(st.Data))
	}
	return l.printJSON(st.Data) // base64
}

// goOn prints new versions until ctx ends. A thread that was deleted and began
// again is printed from its first version.
func (l *logging) goOn(ctx context.Context, store *checkpoint.Store, thread string, last checkpoint.Info) error {
	first := l.From
	if last.Version > 0 {
		first = last.Version + 1
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(l.interval):
		}
		latest, err := store.Stat(ctx, thread)
		switch {
		case errors.Is(err, checkpoint.ErrNotFound):
			continue
		case err != nil:
			return err
		case last.Version > 0 && !latest.CreatedAt.Equal(last.CreatedAt):
			l.note("the thread was deleted and has begun again")
			first, last = 0, checkpoint.Info{}
		case latest.ID == last.ID:
			continue
		}
		l.From = first
		printed, err := l.print(ctx, store, thread)
		if err != nil {
			return err
		}
		if printed.Version > 0 {
			last, first = printed, printed.Version+1
		}
	}
}

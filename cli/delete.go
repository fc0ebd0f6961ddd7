package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newDelete(a *app) *cobra.Command {
	d := deleting{app: a}
	cmd := &cobra.Command{
		Use:     "delete THREAD...",
		Aliases: []string{"rm"},
		Short:   "Delete threads with all their versions",
		Long: `Delete removes every version of each thread, or, with --prefix, of every thread
whose name starts with that. What was deleted cannot be brought back; "checkpoint
export" makes a copy before, and --dry-run shows what --prefix would remove.

Threads that do not exist are named and are no error, except with --if-exists.
The conditions --if-match and --if-version are for one thread.`,
		Example: `  checkpoint delete user-123 user-456
  checkpoint delete user-123 --if-version 7
  checkpoint delete --prefix test- --dry-run`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeThread(-1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := d.check(cmd, args); err != nil {
				return err
			}
			store, err := a.open()
			if err != nil {
				return err
			}
			defer store.Close()
			switch {
			case d.dryRun:
				return d.show(cmd.Context(), store)
			case d.prefix != "":
				return d.deletePrefix(cmd.Context(), store)
			}
			return d.deleteThreads(cmd.Context(), store, args)
		},
	}
	d.conditions.addFlags(cmd, "delete")
	cmd.Flags().StringVar(&d.prefix, "prefix", "", "every thread whose name starts with this, instead of THREAD...")
	cmd.Flags().BoolVar(&d.dryRun, "dry-run", false, "with --prefix: show the threads and delete nothing")
	return cmd
}

// A deleting is one run of delete.
type deleting struct {
	*app
	conditions conditions
	prefix     string
	dryRun     bool
	condition  checkpoint.Condition // nil for none
}

func (d *deleting) check(cmd *cobra.Command, threads []string) (err error) {
	if d.condition, err = d.conditions.given(cmd); err != nil {
		return err
	}
	prefixed := cmd.Flags().Changed("prefix")
	switch {
	case prefixed && d.prefix == "":
		return usagef("--prefix is empty, which would be every thread; name them, or remove the database by its own means")
	case prefixed && (len(threads) > 0 || d.condition != nil):
		return usagef("--prefix goes with no THREAD and no condition")
	case d.dryRun && !prefixed:
		return usagef("--dry-run goes with --prefix")
	case !prefixed && len(threads) == 0:
		return usagef("delete needs THREAD... or --prefix (try checkpoint delete --help)")
	case d.condition != nil && !d.conditions.exists && len(threads) > 1:
		return usagef("--if-match and --if-version are for one thread, and %d are named", len(threads))
	}
	return nil
}

// show lists what --prefix would remove.
func (d *deleting) show(ctx context.Context, store *checkpoint.Store) error {
	var n int64
	for info, err := range store.List(ctx, checkpoint.ListOptions{Prefix: d.prefix}) {
		if err == nil && d.json {
			err = d.printJSON(newInfoJSON(info))
		} else if err == nil {
			err = d.printf("%s\n", terminal.Quote(info.Thread))
		}
		if err != nil {
			return err
		}
		n++
	}
	d.note("%s would be deleted, and nothing was", human.Count(n, "thread"))
	return nil
}

func (d *deleting) deletePrefix(ctx context.Context, store *checkpoint.Store) error {
	bar := d.progress("deleting", 0)
	defer bar.finish()
	n, err := store.DeletePrefix(ctx, d.prefix)
	bar.finish()
	if err != nil {
		if n > 0 || ctx.Err() != nil {
			d.note("deleted %s; run the same delete again for the rest", human.Count(n, "thread"))
		}
		return err
	}
	return d.report(n, nil)
}

func (d *deleting) deleteThreads(ctx context.Context, store *checkpoint.Store, threads []string) error {
	condition := d.condition
	if condition == nil {
		condition = checkpoint.IfExists()
	}
	var n int64
	var absent []string
	for _, thread := range threads {
		err := store.Delete(ctx, thread, condition)
		switch {
		case errors.Is(err, checkpoint.ErrNotFound) && (d.condition == nil || len(threads) > 1):
			absent = append(absent, thread)
		case err != nil:
			if n > 0 {
				d.note("deleted %s before that", human.Count(n, "thread"))
			}
			return err
		default:
			n++
		}
	}
	if err := d.report(n, absent); err != nil {
		return err
	}
	if d.condition != nil && len(absent) > 0 {
		return fmt.Errorf("%s %w", human.Count(int64(len(absent)), "thread"), checkpoint.ErrNotFound)
	}
	return nil
}

func (d *deleting) report(n int64, absent []string) error {
	if d.json {
		return d.printJSON(struct {
			Threads int64    `json:"threads"`
			Absent  []string `json:"absent,omitempty"`
		}{n, absent})
	}
	line := "deleted " + human.Count(n, "thread")
	if len(absent) > 0 {
		names := slices.Clone(absent)
		for i, name := range names {
			names[i] = terminal.Quote(name)
		}
		line += "; there was no " + strings.Join(names, ", ")
	}
	return d.done("%s\n", line)
}

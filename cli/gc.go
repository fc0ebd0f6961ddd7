package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
)

func newCollect(a *app) *cobra.Command {
	var opts checkpoint.CollectOptions
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove what crashes of older releases left and nothing names any more",
		Long: `Gc looks in the whole store, all namespaces, for what a crash or an older release
has left behind and nothing names any more: on DynamoDB, parts of large states
whose version is gone, which are paid for until they are removed. The other
databases here keep nothing of the kind.

It reads the whole table, more than once, and says so, and what that costs,
before it begins. It may run beside everything else, be stopped, and be run
again. Expired threads, and what crashes leave since, are the work of purge.`,
		Example: `  checkpoint gc --dry-run    # reads all of it and removes nothing
  checkpoint gc`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			src := a.source(false)
			store, err := src.open()
			if err != nil {
				return err
			}
			defer store.Close()
			var bar *progress
			defer func() { bar.finish() }()
			opts.Before = func(p checkpoint.CollectPlan) error {
				a.note("reading the whole store: %s", p.Cost)
				bar = a.progress("collecting", 0)
				return nil
			}
			n, err := store.Collect(cmd.Context(), opts)
			bar.finish()
			switch {
			case errors.Is(err, errors.ErrUnsupported):
				a.note("the %s driver leaves nothing that purge and delete do not find", src.driver())
			case err != nil && !opts.DryRun && (n > 0 || cmd.Context().Err() != nil):
				a.note("removed %s; run gc again for the rest", human.Count(n, "item"))
				return err
			case err != nil:
				return err
			}
			if a.json {
				return a.printJSON(struct {
					Items  int64 `json:"items"`
					DryRun bool  `json:"dry_run"`
				}{n, opts.DryRun})
			}
			if opts.DryRun {
				return a.done("%s that nothing names; without --dry-run gc removes them\n", human.Count(n, "item"))
			}
			return a.done("removed %s that nothing named\n", human.Count(n, "item"))
		},
	}
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "only count, and remove nothing")
	return cmd
}

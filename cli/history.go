package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newHistory(a *app) *cobra.Command {
	var opts checkpoint.HistoryOptions
	cmd := &cobra.Command{
		Use:   "history THREAD",
		Short: "List the versions that are kept of a thread",
		Long: `History shows the versions that are kept of a thread, newest first. With --json
every version is a line of JSON.`,
		Example: `  checkpoint history user-123
  checkpoint history user-123 --limit 10 --before 40`,
		Args:              arguments(1, 1, "THREAD"),
		ValidArgsFunction: a.completeThread(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.Limit < 0 || opts.Before < 0 {
				return usagef("--limit or --before is negative; 0 is all")
			}
			store, err := a.open()
			if err != nil {
				return err
			}
			defer store.Close()
			n, err := a.printHistory(cmd.Context(), store, args[0], opts)
			if err == nil && n == 0 {
				_, err = store.Stat(cmd.Context(), args[0]) // an absent thread, or nothing before --before
			}
			return err
		},
	}
	cmd.Flags().Int64Var(&opts.Before, "before", 0, "only versions lower than `N`")
	cmd.Flags().IntVar(&opts.Limit, "limit", 0, "at most `N` versions; 0 is all")
	return cmd
}

func (a *app) printHistory(ctx context.Context, store *checkpoint.Store, thread string, opts checkpoint.HistoryOptions) (n int, err error) {
	table := a.table(
		terminal.Column{Title: "VERSION", Right: true},
		terminal.Column{Title: "SAVED"},
		terminal.Column{Title: "SIZE", Right: true},
		terminal.Column{Title: "ID"},
		terminal.Column{Title: "METADATA", Flex: true})
	for info, err := range store.History(ctx, thread, opts) {
		if err == nil && a.json {
			err = a.printJSON(newInfoJSON(info))
		} else if err == nil {
			err = table.Row(strconv.FormatInt(info.Version, 10), formatTime(info.SavedAt), formatSize(int64(info.Size)),
				terminal.Quote(info.ID), formatMetadata(info.Metadata))
		}
		if err != nil {
			table.Flush()
			return n, err
		}
		n++
	}
	return n, table.Flush()
}

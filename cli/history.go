package cli

import (
	"context"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newHistory(a *app) *cobra.Command {
	var opts checkpoint.HistoryOptions
	cmd := &cobra.Command{
		Use:   "history THREAD",
		Short: "List the versions that are kept of a thread",
		Long: `History shows the versions that are kept of a thread, newest first. With --json
every version is a line of JSON. A terminal of less than 80 columns shows no ids;
--json and "checkpoint stat" do.`,
		Example: `  checkpoint history user-123
  checkpoint history user-123 --limit 10 --before 40`,
		Args:              arguments(1, 1, "THREAD"),
		ValidArgsFunction: a.completeThread(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.Limit < 0 || opts.Before < 0 {
				return usagef("--limit or --before is negative; 0 is all")
			}
			return a.paged(cmd, func(ctx context.Context) error {
				store, err := a.open()
				if err != nil {
					return err
				}
				defer store.Close()
				n, err := a.printHistory(ctx, store, args[0], opts)
				if err == nil && n == 0 {
					err = there(ctx, store, args[0]) // an absent thread, or nothing before --before
				}
				return err
			})
		},
	}
	cmd.Flags().Int64Var(&opts.Before, "before", 0, "only versions lower than `N`")
	cmd.Flags().IntVar(&opts.Limit, "limit", 0, "at most `N` versions; 0 is all")
	return cmd
}

func (a *app) printHistory(ctx context.Context, store *checkpoint.Store, thread string, opts checkpoint.HistoryOptions) (n int, err error) {
	columns := []terminal.Column{
		{Title: "VERSION", Right: true},
		{Title: "SAVED"},
		{Title: "SIZE", Right: true},
		{Title: "ID"},
		{Title: "METADATA", Flex: true},
	}
	const id = 3 // the column that a narrow terminal goes without
	width, isTerminal := a.width()
	narrow := isTerminal && width < 80
	if narrow {
		columns = slices.Delete(columns, id, id+1)
	}
	table := a.table(columns...)
	for info, err := range store.History(ctx, thread, opts) {
		if err == nil && a.json {
			err = a.printJSON(newInfoJSON(info))
		} else if err == nil {
			row := []string{strconv.FormatInt(info.Version, 10), human.Time(info.SavedAt), human.Size(int64(info.Size)),
				terminal.Quote(info.ID), human.Metadata(info.Metadata)}
			if narrow {
				row = slices.Delete(row, id, id+1)
			}
			err = table.Row(row...)
		}
		if err != nil {
			table.Flush()
			return n, err
		}
		n++
	}
	return n, table.Flush()
}

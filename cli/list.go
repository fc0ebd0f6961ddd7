package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newList(a *app) *cobra.Command {
	var opts checkpoint.ListOptions
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the threads",
		Long: `List shows the threads of the namespace in the byte order of their names, with
the latest checkpoint of each. Names with characters that a terminal would act
on are quoted. With --json every thread is a line of JSON.`,
		Example: `  checkpoint list --prefix user-
  checkpoint list --limit 100 --after user-123
  checkpoint list --json | jq -r .thread`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.Limit < 0 {
				return usagef("--limit is negative; 0 is all")
			}
			store, err := a.open()
			if err != nil {
				return err
			}
			defer store.Close()
			n, err := a.printThreads(cmd.Context(), store, opts)
			if err != nil {
				return err
			}
			if n == 0 {
				a.note("no threads")
			} else if n == opts.Limit {
				a.note("there may be more: --limit %d was reached; go on with --after and the last name", n)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&opts.Prefix, "prefix", "", "only threads whose name starts with this")
	cmd.Flags().StringVar(&opts.After, "after", "", "only threads whose name comes after this")
	cmd.Flags().IntVar(&opts.Limit, "limit", 0, "at most `N` threads; 0 is all")
	return cmd
}

func (a *app) printThreads(ctx context.Context, store *checkpoint.Store, opts checkpoint.ListOptions) (n int, err error) {
	table := a.table(
		terminal.Column{Title: "THREAD", Flex: true},
		terminal.Column{Title: "VERSION", Right: true},
		terminal.Column{Title: "SIZE", Right: true},
		terminal.Column{Title: "SAVED"},
		terminal.Column{Title: "EXPIRES"})
	now := time.Now()
	for info, err := range store.List(ctx, opts) {
		if err == nil && a.json {
			err = a.printJSON(newInfoJSON(info))
		} else if err == nil {
			err = table.Row(terminal.Quote(info.Thread), strconv.FormatInt(info.Version, 10), formatSize(int64(info.Size)),
				formatTime(info.SavedAt), formatExpiry(info.ExpiresAt, now))
		}
		if err != nil {
			table.Flush()
			return n, err
		}
		n++
	}
	return n, table.Flush()
}

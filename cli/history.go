package cli

import (
	"context"
	"errors"
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
--json and "checkpoint stat" do.

SIZE is what is stored of the version. Where versions were saved incrementally, as
patches, BASE is the version of the whole state that one builds on.`,
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

// A historyTable is the table of a history. It waits for the first versions before it
// decides on its columns.
type historyTable struct {
	*app
	waiting []checkpoint.Info
	table   *terminal.Table
	narrow  bool
	patches bool
}

// looked is how many versions are looked at for a patch before the first is shown.
const looked = 100

func (a *app) printHistory(ctx context.Context, store *checkpoint.Store, thread string, opts checkpoint.HistoryOptions) (n int, err error) {
	t := historyTable{app: a}
	for info, err := range store.History(ctx, thread, opts) {
		if err == nil && a.json {
			err = a.printJSON(newInfoJSON(info))
		} else if err == nil {
			err = t.add(info)
		}
		if err != nil {
			return n, errors.Join(err, t.flush())
		}
		n++
	}
	return n, t.flush()
}

func (t *historyTable) add(info checkpoint.Info) error {
	if t.table != nil {
		return t.row(info)
	}
	t.waiting = append(t.waiting, info)
	if len(t.waiting) < looked {
		return nil
	}
	return t.begin()
}

// begin writes the head of the table and what has waited.
func (t *historyTable) begin() error {
	width, isTerminal := t.width()
	t.narrow = isTerminal && width < 80
	t.patches = slices.ContainsFunc(t.waiting, func(i checkpoint.Info) bool { return i.Base != 0 })
	columns := []terminal.Column{
		{Title: "VERSION", Right: true},
		{Title: "SAVED"},
		{Title: "SIZE", Right: true},
	}
	if t.patches {
		columns = append(columns, terminal.Column{Title: "BASE", Right: true})
	}
	if !t.narrow {
		columns = append(columns, terminal.Column{Title: "ID"})
	}
	t.table = t.app.table(append(columns, terminal.Column{Title: "METADATA", Flex: true})...)
	for _, info := range t.waiting {
		if err := t.row(info); err != nil {
			return err
		}
	}
	return nil
}

func (t *historyTable) row(info checkpoint.Info) error {
	row := []string{strconv.FormatInt(info.Version, 10), human.Time(info.SavedAt), human.Size(int64(info.Size))}
	switch {
	case t.patches && info.Base != 0:
		row = append(row, strconv.FormatInt(info.Base, 10))
	case t.patches:
		row = append(row, "-")
	}
	if !t.narrow {
		row = append(row, terminal.Quote(info.ID))
	}
	return t.table.Row(append(row, human.Metadata(info.Metadata))...)
}

func (t *historyTable) flush() error {
	if t.table == nil {
		if err := t.begin(); err != nil {
			return err
		}
	}
	return t.table.Flush()
}

package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newList(a *app) *cobra.Command {
	l := listing{app: a}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the threads",
		Long: `List shows the threads of the namespace in the byte order of their names, with
the latest checkpoint of each. Names with characters that a terminal would act
on are quoted. With --json every thread is a line of JSON.

--sort, --reverse and --where read every thread of the namespace, or of --prefix,
without its state: a store keeps them in the order of their names alone. --count
reads them too, and prints how many they are.`,
		Example: `  checkpoint list --prefix user-
  checkpoint list --limit 100 --after user-123
  checkpoint list --sort updated --limit 10
  checkpoint list --where author=ops --count
  checkpoint list --json | jq -r .thread`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := l.check(); err != nil {
				return err
			}
			return a.paged(cmd, l.run)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&l.Prefix, "prefix", "", "only threads whose name starts with this")
	flags.StringVar(&l.After, "after", "", "only threads whose name comes after this")
	flags.IntVar(&l.Limit, "limit", 0, "at most `N` threads; 0 is all")
	flags.StringVar(&l.sort, "sort", "name", "by `name`, updated (the latest first) or size (the largest first)")
	flags.BoolVar(&l.reverse, "reverse", false, "in the opposite order")
	flags.StringArrayVar(&l.where, "where", nil, "only threads with this metadata `KEY=VALUE`; may be repeated")
	flags.BoolVar(&l.count, "count", false, "print only how many they are")
	flags.BoolVar(&l.everything, "all-namespaces", false, "every namespace of the store")
	cmd.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions([]cobra.Completion{"name", "updated", "size"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// A listing is one run of list.
type listing struct {
	*app
	selection
	count      bool
	everything bool
}

func (l *listing) run(ctx context.Context) error {
	src := l.source(false)
	store, err := src.open()
	if err != nil {
		return err
	}
	defer store.Close()
	views, err := src.views(ctx, store, l.everything)
	if err != nil {
		return err
	}
	if l.readsAll() {
		l.note("reading every thread: the store has no order and no index for this")
	}
	n, err := l.print(ctx, views)
	switch {
	case err != nil:
		return err
	case l.count && l.json:
		return l.printJSON(struct {
			Threads int64 `json:"threads"`
		}{n})
	case l.count:
		return l.printf("%d\n", n)
	case n == 0:
		l.note("no threads")
	case !l.readsAll() && !l.everything && n == int64(l.Limit):
		l.note("there may be more: --limit %d was reached; go on with --after and the last name", n)
	}
	return nil
}

func (l *listing) print(ctx context.Context, views []*checkpoint.Store) (n int64, err error) {
	columns := []terminal.Column{
		{Title: "THREAD", Flex: true},
		{Title: "VERSION", Right: true},
		{Title: "SIZE", Right: true},
		{Title: "SAVED"},
		{Title: "EXPIRES"},
	}
	if l.everything {
		columns = append([]terminal.Column{{Title: "NAMESPACE", Flex: true}}, columns...)
	}
	width, isTerminal := l.width()
	shown := len(columns)
	if l.everything && isTerminal && width < 80 {
		shown-- // a narrow terminal has no room for the expiry
	}
	table := l.table(columns[:shown]...)
	now := time.Now()
	for _, view := range views {
		err := l.infos(ctx, view, func(info checkpoint.Info) error {
			n++
			switch {
			case l.count:
				return nil
			case l.json:
				return l.printJSON(newInfoJSON(info))
			}
			row := []string{terminal.Quote(info.Thread), strconv.FormatInt(info.Version, 10), human.Size(int64(info.Size)),
				human.Time(info.SavedAt), human.Expiry(info.ExpiresAt, now)}
			if l.everything {
				row = append([]string{info.Namespace}, row...)
			}
			return table.Row(row[:shown]...)
		})
		if err != nil {
			table.Flush()
			return n, err
		}
	}
	return n, table.Flush()
}

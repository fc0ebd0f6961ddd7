package cli

import "github.com/spf13/cobra"

func newDelete(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "delete THREAD...",
		Aliases: []string{"rm"},
		Short:   "Delete threads with all their versions",
		Long: `Delete removes every version of each thread. Deleting a thread that does not
exist is no error. What was deleted cannot be brought back; "checkpoint export"
makes a copy before.`,
		Example:           `  checkpoint delete user-123 user-456`,
		Args:              arguments(1, -1, "THREAD..."),
		ValidArgsFunction: a.completeThread(-1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := a.open()
			if err != nil {
				return err
			}
			defer store.Close()
			for i, thread := range args {
				if err := store.Delete(cmd.Context(), thread); err != nil {
					if i > 0 {
						a.note("the first %s deleted", formatCount(int64(i), "thread"))
					}
					return err
				}
			}
			if a.json {
				return a.printJSON(struct {
					Threads int `json:"threads"`
				}{len(args)})
			}
			return a.done("deleted %s\n", formatCount(int64(len(args)), "thread"))
		},
	}
}

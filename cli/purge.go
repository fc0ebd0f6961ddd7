package cli

import (
	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint/internal/cli/human"
)

func newPurge(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "purge",
		Short: "Remove expired threads from the database",
		Long: `Purge removes the threads of the namespace that have expired, and what crashes
may have left behind. Expired threads are invisible without it; it frees their
space. It may run beside everything else, and be run again.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := a.open()
			if err != nil {
				return err
			}
			defer store.Close()
			bar := a.progress("purging", 0)
			defer bar.finish()
			n, err := store.Purge(cmd.Context())
			bar.finish()
			if err != nil {
				if n > 0 || cmd.Context().Err() != nil {
					a.note("purged %s; run purge again for the rest", human.Count(n, "thread"))
				}
				return err
			}
			if a.json {
				return a.printJSON(struct {
					Threads int64 `json:"threads"`
				}{n})
			}
			return a.done("purged %s\n", human.Count(n, "thread"))
		},
	}
}

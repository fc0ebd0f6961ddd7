package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
)

func newFind(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "find THREAD ID",
		Short: "Find the version of a thread that was saved with an id",
		Long: `Find shows the version of a thread that has this id, as "checkpoint stat" shows
the latest: the id that a save printed, or that was given to it with --id. It
tells whether a save whose answer was lost was applied. The exit status is 3 when
no kept version has the id.`,
		Example:           `  checkpoint find user-123 event-8`,
		Args:              arguments(2, 2, "THREAD ID"),
		ValidArgsFunction: a.completeThread(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := a.open()
			if err != nil {
				return err
			}
			defer store.Close()
			info, err := store.Find(cmd.Context(), args[0], args[1])
			if errors.Is(err, checkpoint.ErrNotFound) {
				return fmt.Errorf("%w: no kept version of %q has this id", checkpoint.ErrNotFound, args[0])
			}
			if err != nil {
				return err
			}
			return a.printInfo(cmd.Context(), store, info)
		},
	}
}

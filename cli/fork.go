package cli

import (
	"errors"
	"fmt"

	"github.com/go-ckpt/checkpoint"
	"github.com/spf13/cobra"
)

func newFork(a *app) *cobra.Command {
	var expiry ttl
	cmd := &cobra.Command{
		Use:   "fork THREAD VERSION NEW",
		Short: "Start a new thread from a version of another",
		Long: `Fork saves a version of a thread as version 1 of a new thread, which must not
exist yet (exit status 4). It has the metadata forked_from, the id of its source,
and expires as its source does unless --ttl or the URL's ttl say otherwise.`,
		Example:           `  checkpoint fork user-123 3 user-123-retry`,
		Args:              arguments(3, 3, "THREAD VERSION NEW"),
		ValidArgsFunction: a.completeVersion(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			version, err := parseVersion(args[1])
			if err != nil {
				return err
			}
			store, err := expiry.openReplaying(cmd, a, args[0])
			if err != nil {
				return err
			}
			defer store.Close()
			info, err := store.Fork(cmd.Context(), args[0], version, args[2])
			if conflict, ok := errors.AsType[*checkpoint.ConflictError](err); ok {
				return fmt.Errorf("%w: the new thread %q exists already, at version %d; name another one", checkpoint.ErrConflict, args[2], conflict.Current.Version)
			}
			if err != nil {
				return missing(cmd.Context(), store, args[0], version, err)
			}
			return a.printSaved("forked: saved", info)
		},
	}
	expiry.addFlag(cmd)
	return cmd
}

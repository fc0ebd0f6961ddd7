package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newRestore(a *app) *cobra.Command {
	var expiry ttl
	cmd := &cobra.Command{
		Use:   "restore THREAD VERSION",
		Short: "Make an older version the latest again",
		Long: `Restore saves an older version of a thread as a new one, so nothing is lost:
restoring the version that was the latest undoes it. The new version has the
metadata restored_from.

No version is dropped unless the store's URL has history=N. The thread expires
as long after this save as it would have after its last one, unless --ttl or
the URL's ttl say otherwise.`,
		Example:           `  checkpoint restore user-123 3`,
		Args:              arguments(2, 2, "THREAD VERSION"),
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
			info, err := store.Restore(cmd.Context(), args[0], version)
			if err != nil {
				return missing(cmd.Context(), store, args[0], version, err)
			}
			return a.printSaved(fmt.Sprintf("restored version %d: saved", version), info)
		},
	}
	expiry.addFlag(cmd)
	return cmd
}

package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
)

func newRestore(a *app) *cobra.Command {
	var ttl time.Duration
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
		ValidArgsFunction: a.completeThread(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			version, err := parseVersion(args[1])
			if err != nil {
				return err
			}
			store, err := a.openForReplay(cmd, ttl, args[0])
			if err != nil {
				return err
			}
			defer store.Close()
			info, err := store.Restore(cmd.Context(), args[0], version)
			if err != nil {
				return err
			}
			return a.printSaved(fmt.Sprintf("restored version %d: saved", version), info)
		},
	}
	addReplayTTL(cmd, &ttl)
	return cmd
}

func addReplayTTL(cmd *cobra.Command, ttl *time.Duration) {
	cmd.Flags().DurationVar(ttl, "ttl", 0, "the new checkpoint's thread expires after this long; 0 is never (default: as now)")
}

// openForReplay opens the store so that a save of it makes the thread expire as
// the flag or the URL say, or else as long after the save as the thread's last
// save did.
func (a *app) openForReplay(cmd *cobra.Command, ttl time.Duration, thread string) (*checkpoint.Store, error) {
	if cmd.Flags().Changed("ttl") {
		return a.open(checkpoint.WithTTL(ttl))
	}
	store, err := a.open()
	if err != nil {
		return nil, err
	}
	if _, ok := a.source(false).word("ttl"); ok {
		return store, nil
	}
	info, err := store.Stat(cmd.Context(), thread)
	if err != nil || info.ExpiresAt.IsZero() {
		if err != nil {
			store.Close()
			store = nil
		}
		return store, err
	}
	store.Close()
	return a.open(checkpoint.WithTTL(info.ExpiresAt.Sub(info.SavedAt)))
}

func parseVersion(s string) (int64, error) {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 1 {
		return 0, usagef("VERSION %q: want a whole number of at least 1 (checkpoint history shows which there are)", s)
	}
	return v, nil
}

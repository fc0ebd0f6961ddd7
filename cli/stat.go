package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newStat(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "stat THREAD",
		Short: "Show what is known of a thread, without its state",
		Long: `Stat shows the version, id, size, encoding, times, expiry and metadata of a
thread's latest checkpoint. The state is not transferred, and no key is needed.`,
		Example: `  checkpoint stat user-123
  checkpoint stat user-123 --json | jq -r .id`,
		Args:              arguments(1, 1, "THREAD"),
		ValidArgsFunction: a.completeThread(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := a.open()
			if err != nil {
				return err
			}
			defer store.Close()
			info, err := store.Stat(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(newInfoJSON(info))
			}
			return a.printInfo(info)
		},
	}
}

func (a *app) printInfo(info checkpoint.Info) error {
	expires := "never"
	if !info.ExpiresAt.IsZero() {
		expires = fmt.Sprintf("%s (%s)", formatTime(info.ExpiresAt), formatExpiry(info.ExpiresAt, time.Now()))
	}
	lines := [][2]string{
		{"thread", terminal.Quote(info.Thread)},
		{"namespace", info.Namespace},
		{"version", strconv.FormatInt(info.Version, 10)},
		{"id", terminal.Quote(info.ID)},
		{"size", formatSize(int64(info.Size))},
		{"encoding", terminal.Quote(info.Encoding)},
		{"created", formatTime(info.CreatedAt)},
		{"saved", formatTime(info.SavedAt)},
		{"expires", expires},
	}
	if len(info.Metadata) > 0 {
		lines = append(lines, [2]string{"metadata", formatMetadata(info.Metadata)})
	}
	for _, line := range lines {
		if err := a.printf("%s %s\n", a.style.Bold(fmt.Sprintf("%-10s", line[0])), line[1]); err != nil {
			return err
		}
	}
	return nil
}

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
			return a.printf("deleted %s\n", formatCount(int64(len(args)), "thread"))
		},
	}
}

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

func newFork(a *app) *cobra.Command {
	var ttl time.Duration
	cmd := &cobra.Command{
		Use:   "fork THREAD VERSION NEW",
		Short: "Start a new thread from a version of another",
		Long: `Fork saves a version of a thread as version 1 of a new thread, which must not
exist yet (exit status 4). It has the metadata forked_from, the id of its source,
and expires as its source does unless --ttl or the URL's ttl say otherwise.`,
		Example:           `  checkpoint fork user-123 3 user-123-retry`,
		Args:              arguments(3, 3, "THREAD VERSION NEW"),
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
			info, err := store.Fork(cmd.Context(), args[0], version, args[2])
			if err != nil {
				return err
			}
			return a.printSaved("forked: saved", info)
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

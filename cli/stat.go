package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
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
		expires = fmt.Sprintf("%s (%s)", human.Time(info.ExpiresAt), human.Expiry(info.ExpiresAt, time.Now()))
	}
	lines := [][2]string{
		{"thread", terminal.Quote(info.Thread)},
		{"namespace", info.Namespace},
		{"version", strconv.FormatInt(info.Version, 10)},
		{"id", terminal.Quote(info.ID)},
		{"size", human.Size(int64(info.Size))},
		{"encoding", terminal.Quote(info.Encoding)},
		{"created", human.Time(info.CreatedAt)},
		{"saved", human.Time(info.SavedAt)},
		{"expires", expires},
	}
	if len(info.Metadata) > 0 {
		lines = append(lines, [2]string{"metadata", human.Metadata(info.Metadata)})
	}
	for _, line := range lines {
		if err := a.printf("%s %s\n", a.style.Bold(fmt.Sprintf("%-10s", line[0])), line[1]); err != nil {
			return err
		}
	}
	return nil
}

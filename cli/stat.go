package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newStat(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "stat THREAD",
		Short: "Show what is known of a thread, without its state",
		Long: `Stat shows the version, id, size, encoding, times, expiry and metadata of a
thread's latest checkpoint. The state is not transferred, and no key is needed.

Of a checkpoint that was saved incrementally, as a patch, it also shows the base,
which is the version of the whole state that it builds on, and what is stored from
there on, which is read for it.`,
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
			return a.printInfo(cmd.Context(), store, info)
		},
	}
}

// storedBytes is the size of a patched checkpoint with all that it builds on, 0 of one
// that is whole, or gone meanwhile.
func storedBytes(ctx context.Context, store *checkpoint.Store, info checkpoint.Info) (stored int64, err error) {
	if info.Base == 0 {
		return 0, nil
	}
	err = store.Raw(func(b driver.Backend) error {
		cp, err := b.Load(ctx, driver.LoadRequest{Key: info.Key, Version: info.Version, Now: time.Now()})
		if errors.Is(err, checkpoint.ErrNotFound) {
			return nil
		}
		stored = int64(len(cp.Payload))
		for _, l := range cp.Links {
			stored += int64(len(l.Payload))
		}
		return err
	})
	return stored, err
}

func (a *app) printInfo(ctx context.Context, store *checkpoint.Store, info checkpoint.Info) error {
	stored, err := storedBytes(ctx, store, info)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			infoJSON
			Stored int64 `json:"stored_bytes,omitempty"`
		}{newInfoJSON(info), stored})
	}
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
	}
	if info.Base != 0 {
		lines = append(lines, [2]string{"base", fmt.Sprintf("version %d", info.Base)},
			[2]string{"stored", fmt.Sprintf("%s in %s", human.Size(stored), human.Count(info.Version-info.Base+1, "version"))})
	}
	lines = append(lines, [][2]string{
		{"created", human.Time(info.CreatedAt)},
		{"saved", human.Time(info.SavedAt)},
		{"expires", expires},
	}...)
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

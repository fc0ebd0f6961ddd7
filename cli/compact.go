package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/anystate"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newCompact(a *app) *cobra.Command {
	c := compaction{app: a}
	cmd := &cobra.Command{
		Use:   "compact THREAD | --all",
		Short: "Save whole what was saved incrementally",
		Long: `Compact saves the latest state of a thread once more, whole, where it was saved
incrementally, as a patch: for those who no longer want that, or go back to a
release that cannot read it. The state, its metadata and its expiry stay, the
version is the next one.

It saves on condition that nobody else has meanwhile, and looks again if somebody
has, so that it can run beside writers; after an interruption it goes on where it
was. A thread whose latest version is whole is left alone.

No version is dropped unless the store's URL has history=N: older ones that are
patches stay, with all that they build on, until the history drops them.`,
		Example: `  checkpoint compact user-123
  checkpoint compact --all --dry-run
  checkpoint compact --all --store 'redis://localhost?history=1'`,
		Args:              arguments(0, 1, "THREAD, or --all,"),
		ValidArgsFunction: a.completeThread(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case c.all == (len(args) == 1):
				return usagef("compact needs a THREAD or --all, and not both")
			case c.prefix != "" && !c.all:
				return usagef("--prefix goes with --all")
			}
			store, err := a.open(checkpoint.WithIncrementalMemory(0)) // whatever the URL says, what is saved is whole
			if err != nil {
				return err
			}
			defer store.Close()
			if c.all {
				return c.everything(cmd.Context(), store)
			}
			return c.one(cmd.Context(), store, args[0])
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&c.all, "all", false, "every thread of the namespace")
	flags.StringVar(&c.prefix, "prefix", "", "with --all: only threads whose name starts with this")
	flags.BoolVar(&c.dryRun, "dry-run", false, "save nothing, only say what would be saved whole")
	return cmd
}

// A compaction is one run of compact.
type compaction struct {
	*app
	all, dryRun bool
	prefix      string
}

func (c *compaction) one(ctx context.Context, store *checkpoint.Store, thread string) error {
	info, err := store.Stat(ctx, thread)
	if err != nil {
		return err
	}
	if info.Base == 0 {
		c.note("%s version %d is whole already", terminal.Quote(thread), info.Version)
		if c.json {
			return c.printJSON(newInfoJSON(info))
		}
		return nil
	}
	if c.dryRun {
		return c.printPatch(info)
	}
	if info, err = compactThread(ctx, store, info); err != nil {
		return err
	}
	return c.printSaved("saved whole:", info)
}

func (c *compaction) everything(ctx context.Context, store *checkpoint.Store) error {
	bar := c.progress("compacting threads", 0)
	defer bar.finish()
	defer bar.count(ctx, []*checkpoint.Store{store}, c.prefix)()
	var seen, done int64
	err := func() error {
		for info, err := range store.List(ctx, checkpoint.ListOptions{Prefix: c.prefix}) {
			switch {
			case err != nil:
				return err
			case info.Base != 0 && c.dryRun:
				err = c.printPatch(info)
			case info.Base != 0:
				_, err = compactThread(ctx, store, info)
				if errors.Is(err, checkpoint.ErrNotFound) { // deleted meanwhile
					info.Base, err = 0, nil
				}
			}
			if err != nil {
				return err
			}
			seen++
			if info.Base != 0 {
				done++
			}
			bar.set(seen)
		}
		return nil
	}()
	bar.finish()
	did := fmt.Sprintf("%s of %s saved whole", human.Number(done), human.Count(seen, "thread"))
	switch {
	case err != nil && (seen > 0 || ctx.Err() != nil) && !c.dryRun:
		c.note("%s; run compact again for the rest", did)
		return err
	case err != nil:
		return err
	case c.dryRun:
		c.note("%s of %s would be saved whole", human.Number(done), human.Count(seen, "thread"))
		return nil
	case c.json:
		return c.printJSON(struct {
			Threads   int64 `json:"threads"`
			Compacted int64 `json:"compacted"`
		}{seen, done})
	}
	return c.done("%s\n", did)
}

// printPatch shows a thread that would be saved whole.
func (c *compaction) printPatch(info checkpoint.Info) error {
	if c.json {
		return c.printJSON(newInfoJSON(info))
	}
	return c.printf("%s version %s builds on version %d\n", terminal.Quote(info.Thread), strconv.FormatInt(info.Version, 10), info.Base)
}

// compactAttempts is how often others may save a thread before compactThread gives up.
const compactAttempts = 20

// compactThread saves the latest state of a thread whole, unless it is, and returns
// the Info of what is then the latest version. It uses the public API alone: a save on
// condition that nothing has changed.
func compactThread(ctx context.Context, store *checkpoint.Store, info checkpoint.Info) (checkpoint.Info, error) {
	for attempt := 1; ; attempt++ {
		st, err := anystate.Load(ctx, store, info.Thread, 0)
		if err != nil || st.Info.Base == 0 {
			return st.Info, err
		}
		opts := []checkpoint.SaveOption{checkpoint.IfMatch(st.Info.ID), checkpoint.Metadata(st.Info.Metadata), expiresAsBefore(st.Info)}
		saved, err := anystate.Save(ctx, store, st, opts...)
		if !errors.Is(err, checkpoint.ErrConflict) || attempt == compactAttempts {
			return saved, err
		}
	}
}

// expiresAsBefore lets a save leave the expiry of its thread as it is.
func expiresAsBefore(info checkpoint.Info) checkpoint.SaveOption {
	if info.ExpiresAt.IsZero() {
		return checkpoint.ExpiresIn(0)
	}
	return checkpoint.ExpiresIn(max(time.Microsecond, time.Until(info.ExpiresAt)))
}

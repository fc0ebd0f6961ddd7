package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newWatch(a *app) *cobra.Command {
	w := watching{app: a, seen: map[string]checkpoint.Info{}}
	cmd := &cobra.Command{
		Use:   "watch [THREAD...]",
		Short: "Print a line whenever a thread is saved or deleted",
		Long: `Watch looks at the threads that are named, or at every thread of the namespace or
of --prefix, again and again, and prints a line for each that was saved, deleted
or has expired since the last look, until it is interrupted. Of several saves
between two looks it shows the last.

Without THREAD every look lists all the threads, without their states: choose
--prefix or a longer --interval for a large store.`,
		Example: `  checkpoint watch user-123
  checkpoint watch --prefix user- --interval 10s`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeThread(-1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case w.interval < shortestInterval:
				return usagef("--interval %v: want at least %v", w.interval, shortestInterval)
			case w.prefix != "" && len(args) > 0:
				return usagef("--prefix goes with no THREAD")
			}
			return w.run(cmd.Context(), args)
		},
	}
	cmd.Flags().StringVar(&w.prefix, "prefix", "", "only threads whose name starts with this")
	cmd.Flags().DurationVar(&w.interval, "interval", 2*time.Second, "how long to wait between two looks")
	return cmd
}

// A watching is one run of watch.
type watching struct {
	*app
	prefix   string
	interval time.Duration
	seen     map[string]checkpoint.Info
}

func (w *watching) run(ctx context.Context, threads []string) error {
	store, err := w.open()
	if err != nil {
		return err
	}
	defer store.Close()
	for first := true; ; first = false {
		now, err := w.look(ctx, store, threads)
		if err != nil {
			return err
		}
		if !first {
			if err := w.compare(now); err != nil {
				return err
			}
		}
		w.seen = now
		if first {
			w.note("watching %s; Ctrl-C ends it", human.Count(int64(len(now)), "thread"))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(w.interval):
		}
	}
}

// look returns the threads as they are now.
func (w *watching) look(ctx context.Context, store *checkpoint.Store, threads []string) (map[string]checkpoint.Info, error) {
	now := map[string]checkpoint.Info{}
	for _, thread := range threads {
		info, err := store.Stat(ctx, thread)
		if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
			return nil, err
		}
		if err == nil {
			now[thread] = info
		}
	}
	if len(threads) > 0 {
		return now, nil
	}
	for info, err := range store.List(ctx, checkpoint.ListOptions{Prefix: w.prefix}) {
		if err != nil {
			return nil, err
		}
		now[info.Thread] = info
	}
	return now, nil
}

// compare prints what is not as it was, in the order of the saves; what has gone
// comes first.
func (w *watching) compare(now map[string]checkpoint.Info) error {
	var gone, saved []checkpoint.Info
	for thread, info := range w.seen {
		if _, ok := now[thread]; !ok {
			gone = append(gone, info)
		}
	}
	for thread, info := range now {
		if w.seen[thread].ID != info.ID {
			saved = append(saved, info)
		}
	}
	slices.SortFunc(gone, func(a, b checkpoint.Info) int { return strings.Compare(a.Thread, b.Thread) })
	slices.SortFunc(saved, func(a, b checkpoint.Info) int {
		if order := a.SavedAt.Compare(b.SavedAt); order != 0 {
			return order
		}
		return strings.Compare(a.Thread, b.Thread)
	})
	for _, info := range gone {
		if err := w.line("gone", info); err != nil {
			return err
		}
	}
	for _, info := range saved {
		if err := w.line("saved", info); err != nil {
			return err
		}
	}
	return nil
}

func (w *watching) line(event string, info checkpoint.Info) error {
	if w.json {
		return w.printJSON(struct {
			Event string `json:"event"`
			infoJSON
		}{event, newInfoJSON(info)})
	}
	name := terminal.Quote(info.Thread)
	if event == "gone" {
		return w.printf("%s  %s  %s\n", human.Time(time.Now()), w.style.Red("gone "), name)
	}
	return w.printf("%s  %s  %s version %d, %s %s\n", human.Time(info.SavedAt), w.style.Green("saved"), name,
		info.Version, human.Size(int64(info.Size)), fmt.Sprint(human.Metadata(info.Metadata)))
}

package cli

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// The shell waits while names are looked up: they are few and must come soon.
const (
	completions       = 100
	completionTimeout = time.Second
)

// completeThread completes the names of threads, for the first n arguments; -1
// is for all.
func (a *app) completeThread(n int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if n >= 0 && len(args) >= n {
			return nil, cobra.ShellCompDirectiveDefault
		}
		var names []cobra.Completion
		a.lookUp(cmd.Context(), func(ctx context.Context, store *checkpoint.Store) {
			for info, err := range store.List(ctx, checkpoint.ListOptions{Prefix: typed, Limit: completions}) {
				if err != nil {
					break
				}
				// The shells' protocol has a name a line and a tab before its description.
				if terminal.Quote(info.Thread) == info.Thread && !strings.Contains(info.Thread, "\t") && !slices.Contains(args, info.Thread) {
					names = append(names, info.Thread)
				}
			}
		})
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeVersion completes the name of a thread and then n of its versions.
func (a *app) completeVersion(n int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		switch {
		case len(args) == 0:
			return a.completeThread(1)(cmd, args, typed)
		case len(args) > n:
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.versions(cmd, args[0], typed)
	}
}

// versions completes the versions of a thread, newest first, with their times.
func (a *app) versions(cmd *cobra.Command, thread, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var versions []cobra.Completion
	a.lookUp(cmd.Context(), func(ctx context.Context, store *checkpoint.Store) {
		for info, err := range store.History(ctx, thread, checkpoint.HistoryOptions{Limit: completions}) {
			if err != nil {
				break
			}
			if version := strconv.FormatInt(info.Version, 10); strings.HasPrefix(version, typed) {
				versions = append(versions, cobra.CompletionWithDesc(version, "saved "+human.Time(info.SavedAt)))
			}
		}
	})
	return versions, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// lookUp gives f the store, as far as it can be opened, and little time.
func (a *app) lookUp(ctx context.Context, f func(context.Context, *checkpoint.Store)) {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	if a.useProfile(ctx, "") != nil {
		return
	}
	store, err := a.open()
	if err != nil {
		return
	}
	defer store.Close()
	f(ctx, store)
}

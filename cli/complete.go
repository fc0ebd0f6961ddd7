package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
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
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		store, err := a.open()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer store.Close()
		var names []cobra.Completion
		for info, err := range store.List(ctx, checkpoint.ListOptions{Prefix: typed, Limit: completions}) {
			if err != nil {
				break
			}
			// The shells' protocol has a name a line and a tab before its description.
			if terminal.Quote(info.Thread) == info.Thread && !strings.Contains(info.Thread, "\t") && !slices.Contains(args, info.Thread) {
				names = append(names, info.Thread)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

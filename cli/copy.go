package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver/dsn"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
)

// The environment of copy.
const (
	envFrom     = "CHECKPOINT_FROM"
	envTo       = "CHECKPOINT_TO"
	envFromKeys = "CHECKPOINT_FROM_KEYS"
	envToKeys   = "CHECKPOINT_TO_KEYS"
)

func newCopy(a *app) *cobra.Command {
	var from, to string
	var everything bool
	var opts checkpoint.CopyOptions
	cmd := &cobra.Command{
		Use:   "copy --from URL --to URL",
		Short: "Copy threads to another store, of any kind",
		Long: `Copy copies the threads of a namespace from one store to another, whatever
databases they are in: the latest checkpoint of each, or with --history every
version that is kept. Ids, versions, times and metadata stay.

It never overwrites: a thread that the destination has at the same or a higher
version is skipped. So copy can be run again, after an interruption or to catch
up, and does only what is left. No version is dropped at the destination unless
its URL has history=N.

The URLs can stand in the environment instead, and so can keys; without keys,
encrypted payloads move as they are:

  CHECKPOINT_FROM, CHECKPOINT_TO            URLs (--from defaults to the store)
  CHECKPOINT_FROM_KEYS, CHECKPOINT_TO_KEYS  keys; CHECKPOINT_KEYS where not set`,
		Example: `  checkpoint copy --from sqlite:checkpoints.db --to postgres://localhost/agents --history
  checkpoint copy --from redis://localhost:6379/0 --to sqlite:backup.db --all-namespaces`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			src, dst := a.source(false), a.source(true)
			if url := firstOf(from, os.Getenv(envFrom)); url != "" {
				src.url, src.flag = url, "--from"
			}
			if dst.url, dst.flag = firstOf(to, os.Getenv(envTo)), "--to"; dst.url == "" {
				return usagef("copy needs --to URL or %s (try checkpoint copy --help)", envTo)
			}
			if keys, ok := os.LookupEnv(envFromKeys); ok {
				src.keys, src.keysFrom = keys, envFromKeys
			}
			if keys, ok := os.LookupEnv(envToKeys); ok {
				dst.keys, dst.keysFrom = keys, envToKeys
			}
			return a.copy(cmd.Context(), dst, src, opts, everything)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&from, "from", "", "`URL` of the store to copy from (default $"+envFrom+" or the store)")
	flags.StringVar(&to, "to", "", "`URL` of the store to copy to (default $"+envTo+")")
	flags.BoolVar(&opts.History, "history", false, "every version that is kept, not only the latest")
	flags.StringVar(&opts.Prefix, "prefix", "", "only threads whose name starts with this")
	flags.IntVar(&opts.Concurrency, "concurrency", 64, "threads at a time")
	flags.BoolVar(&everything, "all-namespaces", false, "every namespace, each to the one of its name")
	return cmd
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func (a *app) copy(ctx context.Context, dst, src source, opts checkpoint.CopyOptions, everything bool) error {
	if opts.Concurrency < 1 {
		return usagef("--concurrency %d: want at least 1", opts.Concurrency)
	}
	from, err := src.open()
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := dst.open()
	if err != nil {
		return err
	}
	defer to.Close()

	switch at := locate(to); {
	case at.Private:
		return usagef("--to names a store in the memory of this command, which ends with it: name one that stays")
	case sameStore(dst, src, to, from):
		return usagef("--from and --to are the same store; a namespace of the other name, or another database, is needed")
	}
	if locate(to).Memory {
		a.note("--to names a store in the memory of this process, which ends with it")
	}
	if _, fixed := dst.word("namespace"); everything && fixed {
		return usagef("--all-namespaces does not go with a namespace, in a flag or a URL")
	}
	views, err := src.views(ctx, from, everything)
	if err != nil {
		return err
	}
	bar := a.progress("copying threads", 0)
	defer bar.finish()
	defer bar.count(ctx, views, opts.Prefix)()

	var sum checkpoint.CopyStats
	for _, view := range views {
		if everything {
			to = to.Namespace(view.InNamespace())
		}
		before := sum
		opts.Progress = func(n checkpoint.CopyStats) { bar.set(before.Threads + before.Skipped + n.Threads + n.Skipped) }
		var n checkpoint.CopyStats
		n, err = checkpoint.Copy(ctx, to, view, opts)
		sum.Threads += n.Threads
		sum.Checkpoints += n.Checkpoints
		sum.Skipped += n.Skipped
		sum.Bytes += n.Bytes
		if err != nil {
			break
		}
	}
	bar.finish()
	return a.reportCopy(sum, err)
}

// sameStore reports whether two sources are the same namespace of the same store,
// as far as their URLs and files tell.
func sameStore(dst, src source, to, from *checkpoint.Store) bool {
	if to.InNamespace() != from.InNamespace() {
		return false
	}
	a, b := locate(to).File, locate(from).File
	if a == "" || b == "" {
		aURL, _ := dsn.Split(dst.url)
		bURL, _ := dsn.Split(src.url)
		return aURL == bURL && ownWords(dst.url) == ownWords(src.url)
	}
	aInfo, aErr := os.Stat(a)
	bInfo, bErr := os.Stat(b)
	return aErr == nil && bErr == nil && os.SameFile(aInfo, bInfo) && ownWords(dst.url) == ownWords(src.url)
}

// ownWords returns the words of a URL that are the driver's own.
func ownWords(url string) string {
	_, query := dsn.Split(url)
	words, err := dsn.Parse(query)
	if err != nil {
		return query
	}
	for _, name := range dsn.Common {
		words.String(name)
	}
	return words.Rest()
}

// reportCopy says what was copied, also when the copy broke off.
func (a *app) reportCopy(n checkpoint.CopyStats, err error) error {
	did := fmt.Sprintf("copied %s, %s, %s", human.Count(n.Threads, "thread"), human.Count(n.Checkpoints, "checkpoint"), human.Size(n.Bytes))
	if n.Skipped > 0 {
		did += fmt.Sprintf("; %s skipped: the destination has the same or a higher version", human.Count(n.Skipped, "thread"))
	}
	switch {
	case err != nil && errors.Is(err, errors.ErrUnsupported):
		return err
	case err != nil:
		a.note("%s; run the same copy again to go on: it does only what is left", did)
		return err
	case a.json:
		return a.printJSON(struct {
			Threads     int64 `json:"threads"`
			Checkpoints int64 `json:"checkpoints"`
			Skipped     int64 `json:"skipped"`
			Bytes       int64 `json:"bytes"`
		}{n.Threads, n.Checkpoints, n.Skipped, n.Bytes})
	}
	return a.done("%s\n", did)
}

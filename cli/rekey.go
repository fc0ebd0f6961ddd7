package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
)

func newRekey(a *app) *cobra.Command {
	var opts checkpoint.RekeyOptions
	cmd := &cobra.Command{
		Use:   "rekey",
		Short: "Encrypt every state anew with the first of the keys",
		Long: `Rekey encrypts every kept version of every thread of the namespace with the
first key of CHECKPOINT_KEYS, in place. What that key has sealed already is
passed over, so rekey can be run again, after an interruption for example. When
it is done, and every process saves with the new key, the other keys can go.

To rotate: put the new key before the old ones, restart the application with
that, run rekey, and then remove the old keys.`,
		Example: `  CHECKPOINT_KEYS=$NEW,$OLD checkpoint rekey
  CHECKPOINT_KEYS=$NEW checkpoint rekey --plaintext`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			src := a.source(false)
			if src.keys == "" {
				return usagef("rekey needs keys in %s: the new one first", envKeys)
			}
			store, err := src.open()
			if err != nil {
				return err
			}
			defer store.Close()

			bar := a.progress("rekeying threads", 0)
			defer bar.finish()
			defer bar.count(cmd.Context(), []*checkpoint.Store{store}, opts.Prefix)()
			opts.Progress = func(n checkpoint.RekeyStats) { bar.set(n.Threads) }
			n, err := checkpoint.Rekey(cmd.Context(), store, opts)
			bar.finish()
			did := fmt.Sprintf("%s of %s in %s encrypted anew", human.Number(n.Rewritten), human.Count(n.Checkpoints, "checkpoint"), human.Count(n.Threads, "thread"))
			switch {
			case err != nil && (n.Checkpoints > 0 || cmd.Context().Err() != nil):
				a.note("%s; run rekey again for the rest", did)
				return err
			case err != nil:
				return err
			case a.json:
				return a.printJSON(struct {
					Threads     int64 `json:"threads"`
					Checkpoints int64 `json:"checkpoints"`
					Rewritten   int64 `json:"rewritten"`
					Bytes       int64 `json:"bytes"`
				}{n.Threads, n.Checkpoints, n.Rewritten, n.Bytes})
			}
			return a.done("%s\n", did)
		},
	}
	cmd.Flags().StringVar(&opts.Prefix, "prefix", "", "only threads whose name starts with this")
	cmd.Flags().BoolVar(&opts.Plaintext, "plaintext", false, "also encrypt what is not encrypted yet (refused without this)")
	return cmd
}

package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/anystate"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newLoad(a *app) *cobra.Command {
	var version int64
	cmd := &cobra.Command{
		Use:   "load THREAD",
		Short: "Print a state",
		Long: `Load prints the latest state of a thread, or the version asked for. JSON is
indented on a terminal. In a pipe or a file, every state is written exactly as
it is stored, byte for byte, without a line end of our own.

With --json the state stands in one line with what is known of it: under
"state" when it is JSON, under "bytes", in base64, when it is anything else.`,
		Example: `  checkpoint load user-123
  checkpoint load user-123 --version 3 > state.json`,
		Args:              arguments(1, 1, "THREAD"),
		ValidArgsFunction: a.completeThread(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("version") && version < 1 {
				return usagef("--version %d: versions count from 1", version)
			}
			store, err := a.open()
			if err != nil {
				return err
			}
			defer store.Close()
			st, err := loadState(cmd.Context(), store, args[0], version)
			if err != nil {
				return err
			}
			return a.paged(cmd, func(context.Context) error { return a.printState(st) })
		},
	}
	cmd.Flags().Int64Var(&version, "version", 0, "an older version `N` instead of the latest")
	cmd.RegisterFlagCompletionFunc("version", func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.versions(cmd, args[0], typed)
	})
	return cmd
}

// loadState loads a version of a thread, of any codec; version 0 is the latest.
func loadState(ctx context.Context, store *checkpoint.Store, thread string, version int64) (anystate.State, error) {
	st, err := anystate.Load(ctx, store, thread, version)
	return st, missing(ctx, store, thread, version, err)
}

func (a *app) printState(st anystate.State) error {
	if a.json {
		var value json.RawMessage
		var blob *[]byte
		if st.IsJSON {
			value = st.Data
		} else {
			data := append([]byte{}, st.Data...) // an empty one is printed too
			blob = &data
		}
		return a.printJSON(struct {
			infoJSON
			State json.RawMessage `json:"state,omitempty"`
			Bytes *[]byte         `json:"bytes,omitempty"`
		}{newInfoJSON(st.Info), value, blob})
	}
	if _, isTerminal := a.width(); !isTerminal {
		_, err := a.out.Write(st.Data)
		return err
	}
	if !st.IsJSON {
		return a.dump(st)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, st.Data, "", "  "); err != nil {
		return err
	}
	pretty.WriteByte('\n')
	_, err := a.out.Write(terminal.JSON(pretty.Bytes()))
	return err
}

// dumped is how much of a binary state a terminal is shown.
const dumped = 256

// dump shows the beginning of a state that is no text.
func (a *app) dump(st anystate.State) error {
	a.note("%s, encoded as %q; use a pipe or a file for the bytes themselves", human.Size(int64(len(st.Data))), st.Info.Encoding)
	head := st.Data[:min(dumped, len(st.Data))]
	if err := a.printf("%s", hex.Dump(head)); err != nil {
		return err
	}
	if rest := len(st.Data) - len(head); rest > 0 {
		return a.printf("%s\n", fmt.Sprintf("… and %s more", human.Size(int64(rest))))
	}
	return nil
}

package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
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
			st, err := a.loadState(cmd.Context(), store, args[0], version)
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

// A state is a state as its codec made it.
type state struct {
	info   checkpoint.Info
	isJSON bool
	data   []byte
}

// loadState loads a version of a thread, of any codec; version 0 is the latest.
func (a *app) loadState(ctx context.Context, store *checkpoint.Store, thread string, version int64) (state, error) {
	st, err := loadAny(ctx, store, thread, version, func(codec string) (*checkpoint.Store, error) {
		return a.open(checkpoint.WithCodec(verbatim(codec)))
	})
	return st, missing(ctx, store, thread, version, err)
}

// loadAny loads a state as it was encoded. What is not JSON needs a second
// look at the same version, and for a codec that is not ours a store that has
// it, which reopen gives.
func loadAny(ctx context.Context, store *checkpoint.Store, thread string, version int64, reopen func(codec string) (*checkpoint.Store, error)) (state, error) {
	var value json.RawMessage
	info, err := loadVersion(ctx, store, thread, version, &value)
	if err == nil {
		return state{info, true, value}, nil
	}
	codec, _, _ := strings.Cut(info.Encoding, "+")
	if !errors.Is(err, checkpoint.ErrCorrupt) || codec == "" || codec == "json" {
		return state{}, err
	}
	if codec == "bytes" {
		var blob checkpoint.Bytes
		info, err = store.LoadVersion(ctx, thread, info.Version, &blob)
		return state{info: info, data: blob}, err
	}
	other, openErr := reopen(codec)
	if openErr != nil {
		return state{}, err
	}
	defer other.Close()
	var encoded verbatimState
	info, err = other.LoadVersion(ctx, thread, info.Version, &encoded)
	return state{info: info, data: encoded}, err
}

func loadVersion(ctx context.Context, store *checkpoint.Store, thread string, version int64, target any) (checkpoint.Info, error) {
	if version == 0 {
		return store.Load(ctx, thread, target)
	}
	return store.LoadVersion(ctx, thread, version, target)
}

// verbatim is the codec of that name, which only an application has, as far as
// the command needs it: what it encoded is handed out as it is.
type verbatim string

type verbatimState []byte

func (v verbatim) Name() string { return string(v) }

func (verbatim) Marshal(any) ([]byte, error) {
	return nil, errors.New("this codec only reads")
}

func (verbatim) Unmarshal(data []byte, target any) error {
	s, ok := target.(*verbatimState)
	if !ok {
		return errors.New("this codec only hands out what is stored")
	}
	*s = bytes.Clone(data)
	return nil
}

func (a *app) printState(st state) error {
	if a.json {
		return a.printJSON(struct {
			infoJSON
			State json.RawMessage `json:"state,omitempty"`
			Bytes *[]byte         `json:"bytes,omitempty"`
		}{newInfoJSON(st.info), st.jsonOrNil(), st.bytesOrNil()})
	}
	if _, isTerminal := a.width(); !isTerminal {
		_, err := a.out.Write(st.data)
		return err
	}
	if !st.isJSON {
		return a.dump(st)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, st.data, "", "  "); err != nil {
		return err
	}
	pretty.WriteByte('\n')
	_, err := a.out.Write(terminal.JSON(pretty.Bytes()))
	return err
}

func (st state) jsonOrNil() json.RawMessage {
	if !st.isJSON {
		return nil
	}
	return st.data
}

func (st state) bytesOrNil() *[]byte {
	if st.isJSON {
		return nil
	}
	if st.data == nil {
		st.data = []byte{}
	}
	return &st.data
}

// dumped is how much of a binary state a terminal is shown.
const dumped = 256

// dump shows the beginning of a state that is no text.
func (a *app) dump(st state) error {
	a.note("%s, encoded as %q; use a pipe or a file for the bytes themselves", formatSize(int64(len(st.data))), st.info.Encoding)
	head := st.data[:min(dumped, len(st.data))]
	if err := a.printf("%s", hex.Dump(head)); err != nil {
		return err
	}
	if rest := len(st.data) - len(head); rest > 0 {
		return a.printf("%s\n", fmt.Sprintf("… and %s more", formatSize(int64(rest))))
	}
	return nil
}

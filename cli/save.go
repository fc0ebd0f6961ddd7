package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newSave(a *app) *cobra.Command {
	var (
		asBytes  bool
		ifMatch  string
		ifAbsent bool
		ttl      time.Duration
		meta     []string
	)
	cmd := &cobra.Command{
		Use:   "save THREAD [FILE]",
		Short: "Save a state: JSON from a file or standard input",
		Long: `Save stores a state as the next checkpoint of a thread. The state is the JSON
of FILE, or of standard input when there is no FILE or it is "-". It is checked
and stored as that value, to the last digit of its numbers. With --bytes it is
anything, stored as it is.

No version of the thread is dropped unless the store's URL says how many to
keep, as in --store 'sqlite:checkpoints.db?history=20'.`,
		Example: `  echo '{"step": 1}' | checkpoint save user-123
  checkpoint save user-123 state.json --ttl 24h --meta author=ops
  checkpoint save user-123 state.json --if-match 5JDVJWGVJXN6YQEJEQ4AOVSG3B`,
		Args:              arguments(1, 2, "THREAD [FILE]"),
		ValidArgsFunction: a.completeThread(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var opts []checkpoint.SaveOption
			if cmd.Flags().Changed("if-match") {
				opts = append(opts, checkpoint.IfMatch(ifMatch))
			}
			if ifAbsent {
				opts = append(opts, checkpoint.IfAbsent())
			}
			if cmd.Flags().Changed("ttl") {
				opts = append(opts, checkpoint.ExpiresIn(ttl))
			}
			metadata, err := parseMetadata(meta)
			if err != nil {
				return err
			}
			opts = append(opts, checkpoint.Metadata(metadata))

			name := "-"
			if len(args) == 2 {
				name = args[1]
			}
			state, err := a.readState(cmd.Context(), name, asBytes)
			if err != nil {
				return err
			}
			store, err := a.source(true).open()
			if err != nil {
				return err
			}
			defer store.Close()
			info, err := store.Save(cmd.Context(), args[0], state, opts...)
			if err != nil {
				return err
			}
			return a.printSaved("saved", info)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&asBytes, "bytes", false, "store the input as it is, whatever it is")
	flags.StringVar(&ifMatch, "if-match", "", "save only if the latest checkpoint has this `ID` (else exit status 4)")
	flags.BoolVar(&ifAbsent, "if-absent", false, "save only if the thread does not exist (else exit status 4)")
	flags.DurationVar(&ttl, "ttl", 0, "the thread expires this long after the save; 0 is never (default: the store's)")
	flags.StringArrayVar(&meta, "meta", nil, "metadata `KEY=VALUE`, stored beside the state; may be repeated")
	return cmd
}

func parseMetadata(pairs []string) (map[string]string, error) {
	m := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		k, v, found := strings.Cut(pair, "=")
		if !found || k == "" {
			return nil, usagef("--meta %q: want KEY=VALUE", pair)
		}
		if _, twice := m[k]; twice {
			return nil, usagef("--meta: the key %q is given twice", k)
		}
		m[k] = v
	}
	return m, nil
}

// readState reads a state from a file, or from standard input if that is "-".
func (a *app) readState(ctx context.Context, name string, asBytes bool) (any, error) {
	var data []byte
	var err error
	if name == "-" {
		if isInteractive(a.in) {
			a.note("reading the state from the keyboard; end with Ctrl-D")
		}
		data, err = io.ReadAll(a.input(ctx))
		name = "standard input"
	} else {
		data, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, err
	}
	if asBytes {
		return checkpoint.Bytes(data), nil
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // what some editors put before UTF-8
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, usagef("the state in %s is empty; a JSON value is needed (or --bytes)", name)
	}
	var value json.RawMessage
	if err := json.Unmarshal(data, &value); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			before := data[:min(int(syntax.Offset), len(data))]
			line := bytes.Count(before, []byte{'\n'}) + 1
			column := len(before) - (bytes.LastIndexByte(before, '\n') + 1)
			return nil, usagef("the state in %s is not JSON: line %d, column %d: it ends too early or has a character that does not belong there (use --bytes for other data)", name, line, max(column, 1))
		}
		return nil, usagef("the state in %s is not JSON (use --bytes for other data)", name)
	}
	return value, nil
}

// printSaved reports a checkpoint that was written.
func (a *app) printSaved(what string, info checkpoint.Info) error {
	if a.json {
		return a.printJSON(newInfoJSON(info))
	}
	line := fmt.Sprintf("%s %s version %d, %s, id %s", what, terminal.Quote(info.Thread), info.Version, formatSize(int64(info.Size)), info.ID)
	if !info.ExpiresAt.IsZero() {
		line += ", expires " + formatExpiry(info.ExpiresAt, info.SavedAt)
	}
	return a.done("%s\n", line)
}

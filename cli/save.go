package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newSave(a *app) *cobra.Command {
	s := saving{app: a}
	cmd := &cobra.Command{
		Use:   "save THREAD [FILE]",
		Short: "Save a state: JSON from a file or standard input",
		Long: `Save stores a state as the next checkpoint of a thread. The state is the JSON
of FILE, or of standard input when there is no FILE or it is "-". It is checked
and stored as that value, to the last digit of its numbers. With --bytes it is
anything, stored as it is.

No version of the thread is dropped unless the store's URL says how many to
keep, as in --store 'sqlite:checkpoints.db?history=20'. A thread that expires goes
on to do so, as long after this save as after its last one, unless --ttl or the
URL's ttl say otherwise. A thread whose latest state is encrypted is saved to with
its key alone.

With --id the save can be repeated, by a script for example: an id that a kept
version of the thread has already changes nothing, and that version is shown.`,
		Example: `  echo '{"step": 1}' | checkpoint save user-123
  checkpoint save user-123 state.json --ttl 24h --meta author=ops
  checkpoint save user-123 event.json --if-version 7 --id event-8
  checkpoint save user-123 state.json --if-match 5JDVJWGVJXN6YQEJEQ4AOVSG3B`,
		Args:              arguments(1, 2, "THREAD [FILE]"),
		ValidArgsFunction: a.completeThread(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.readFlags(cmd); err != nil {
				return err
			}
			name := "-"
			if len(args) == 2 {
				name = args[1]
			}
			state, err := a.readState(cmd.Context(), name, s.bytes)
			if err != nil {
				return err
			}
			info, err := s.save(cmd, args[0], state)
			if err != nil {
				return err
			}
			return a.printSaved("saved", info)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&s.bytes, "bytes", false, "store the input as it is, whatever it is")
	flags.StringVar(&s.id, "id", "", "the save's own `ID`: 1 to 64 of A-Z a-z 0-9 . _ ~ -")
	s.conditions.addFlags(cmd, "save")
	flags.BoolVar(&s.absent, "if-absent", false, "save only if the thread does not exist (else exit status 4)")
	s.ttl.addFlag(cmd)
	flags.StringArrayVar(&s.metadata, "meta", nil, "metadata `KEY=VALUE`, stored beside the state; may be repeated")
	return cmd
}

// A saving is one run of save.
type saving struct {
	*app
	bytes      bool
	id         string
	conditions conditions
	absent     bool
	ttl        ttl
	metadata   []string

	options     []checkpoint.SaveOption
	conditional bool
}

// readFlags checks the flags and makes options of them.
func (s *saving) readFlags(cmd *cobra.Command) error {
	condition, err := s.conditions.given(cmd)
	if err != nil {
		return err
	}
	switch {
	case condition != nil:
		s.options = append(s.options, condition)
	case s.absent:
		s.options = append(s.options, checkpoint.IfAbsent())
	}
	s.conditional = len(s.options) > 0
	if cmd.Flags().Changed("id") {
		s.options = append(s.options, checkpoint.WithID(s.id))
	}
	metadata, err := parsePairs("--meta", s.metadata)
	if err != nil {
		return err
	}
	s.options = append(s.options, checkpoint.Metadata(metadata))
	return nil
}

// saveAttempts is how often a save without a condition is tried: it depends on the
// thread's expiry and encryption, which another program may change meanwhile.
const saveAttempts = 10

// save saves the state on condition that the thread is still what it was when its
// expiry and encryption were looked at, and looks again if it is not.
func (s *saving) save(cmd *cobra.Command, thread string, state any) (checkpoint.Info, error) {
	src := s.source(true)
	store, err := src.open()
	if err != nil {
		return checkpoint.Info{}, err
	}
	defer store.Close()
	for attempt := 1; ; attempt++ {
		before, err := store.Stat(cmd.Context(), thread)
		if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
			return before, err
		}
		if err := src.checkSealed(before); err != nil {
			return before, err
		}
		opts := slices.Concat(s.options, s.ttl.option(cmd, src, before))
		switch {
		case s.conditional:
		case before.Version == 0:
			opts = append(opts, checkpoint.IfAbsent())
		default:
			opts = append(opts, checkpoint.IfMatch(before.ID))
		}
		info, err := store.Save(cmd.Context(), thread, state, opts...)
		if !s.conditional && errors.Is(err, checkpoint.ErrConflict) && attempt < saveAttempts {
			continue
		}
		return info, err
	}
}

// checkSealed returns an error if a save without a key would follow an encrypted
// state: the programs that have the key refuse what is not encrypted.
func (s source) checkSealed(before checkpoint.Info) error {
	if s.keys == "" && strings.HasSuffix(before.Encoding, "+aead") {
		return fmt.Errorf("the latest state of %q is encrypted, and one without encryption after it could not be read by the programs that have the key: put the key into %s", before.Thread, envKeys)
	}
	return nil
}

// parsePairs reads the KEY=VALUE of a flag.
func parsePairs(flag string, pairs []string) (map[string]string, error) {
	m := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		k, v, found := strings.Cut(pair, "=")
		if !found || k == "" {
			return nil, usagef("%s %q: want KEY=VALUE", flag, pair)
		}
		if _, twice := m[k]; twice {
			return nil, usagef("%s: the key %q is given twice", flag, k)
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
	line := fmt.Sprintf("%s %s version %d, %s, id %s", what, terminal.Quote(info.Thread), info.Version, human.Size(int64(info.Size)), info.ID)
	if !info.ExpiresAt.IsZero() {
		line += ", expires " + human.Expiry(info.ExpiresAt, info.SavedAt)
	}
	return a.done("%s\n", line)
}

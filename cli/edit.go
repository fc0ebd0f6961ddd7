package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
)

func newEdit(a *app) *cobra.Command {
	e := editing{app: a}
	cmd := &cobra.Command{
		Use:   "edit THREAD",
		Short: "Change the latest state in an editor",
		Long: `Edit opens the latest state of a thread, as indented JSON, in the editor of
VISUAL or EDITOR (vi without them), and saves what it is when the editor ends as
a new version, with the metadata it had. A state is best changed so, and not by
the database's own means: a driver takes a changed row for a damaged one.

It is saved on condition that the thread has not changed meanwhile; otherwise the
exit status is 4. What was written is then kept in a file that is named, as it is
when it is no JSON. A state that was left as it is is not saved.`,
		Example: `  checkpoint edit user-123
  EDITOR='code --wait' checkpoint edit user-123`,
		Args:              arguments(1, 1, "THREAD"),
		ValidArgsFunction: a.completeThread(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.run(cmd, args[0])
		},
	}
	e.ttl.addFlag(cmd)
	return cmd
}

// An editing is one run of edit.
type editing struct {
	*app
	ttl ttl
}

func (e *editing) run(cmd *cobra.Command, thread string) error {
	ctx := cmd.Context()
	src := e.source(false)
	store, err := src.open()
	if err != nil {
		return err
	}
	defer store.Close()
	st, err := loadState(ctx, store, thread, 0)
	if err != nil {
		return err
	}
	if !st.IsJSON {
		return fmt.Errorf("edit is for JSON, and the state of %q is %q: use load and save --bytes", thread, st.Info.Encoding)
	}
	var before bytes.Buffer
	if err := json.Indent(&before, st.Data, "", "  "); err != nil {
		return fmt.Errorf("%w: %w", checkpoint.ErrCorrupt, err)
	}
	before.WriteByte('\n')
	name, err := writeTemporary(before.Bytes())
	if err != nil {
		return err
	}
	info, err := e.edit(ctx, store, src, cmd, st.Info, name, before.Bytes())
	if errors.Is(err, errUnchanged) {
		os.Remove(name)
		e.note("nothing was changed, and nothing saved")
		return nil
	}
	if err != nil {
		e.note("what was written is kept in %s", name)
		return err
	}
	os.Remove(name)
	return e.printSaved("saved", info)
}

var errUnchanged = errors.New("the state is as it was")

// edit has a person edit the file and saves what it is then.
func (e *editing) edit(ctx context.Context, store *checkpoint.Store, src source, cmd *cobra.Command, before checkpoint.Info, name string, text []byte) (checkpoint.Info, error) {
	if err := e.runEditor(ctx, name); err != nil {
		return before, err
	}
	edited, err := os.ReadFile(name)
	if err != nil {
		return before, err
	}
	if bytes.Equal(edited, text) {
		return before, errUnchanged
	}
	state, err := e.readState(ctx, name, false)
	if err != nil {
		return before, err
	}
	opts := append(e.ttl.option(cmd, src, before), checkpoint.IfMatch(before.ID), checkpoint.Metadata(before.Metadata))
	return store.Save(ctx, before.Thread, state, opts...)
}

// writeTemporary writes a file that its owner alone can read.
func writeTemporary(text []byte) (name string, err error) {
	f, err := os.CreateTemp("", "checkpoint-*.json")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return f.Name(), err
}

// runEditor runs the person's editor, which may be a command with arguments, on a
// file and waits for its end.
func (e *editing) runEditor(ctx context.Context, name string) error {
	editor := firstOf(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi")
	cmd := exec.CommandContext(ctx, "sh", "-c", editor+` "$1"`, "sh", name)
	if runtime.GOOS == "windows" {
		words := strings.Fields(firstOf(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "notepad"))
		cmd = exec.CommandContext(ctx, words[0], append(words[1:], name)...)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.in, e.out, e.err
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the editor %q: %w", editor, err)
	}
	return nil
}

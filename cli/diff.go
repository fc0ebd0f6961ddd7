package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/anystate"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/internal/cli/jsondiff"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func newDiff(a *app) *cobra.Command {
	var with string
	cmd := &cobra.Command{
		Use:   "diff THREAD [V1 [V2]]",
		Short: "Show what changed between two versions",
		Long: `Diff shows what changed in a state from version V1 to version V2, from V1 to the
latest when V2 is left out, and in the last save when both are:

  +  added      -  removed      ~  changed      >  moved

With --with it compares two threads: V1 of THREAD and V2 of the other one, the
latest of each where no version is named.

Paths are written as jq takes them. Arrays are aligned: an element inserted at
the head is one addition, and elements that stand elsewhere were moved. With
--json every change is a line of JSON with the whole values; on a terminal long
ones are cut to what differs. The exit status is 0 whether anything changed or
not.`,
		Example: `  checkpoint diff user-123
  checkpoint diff user-123 3 4
  checkpoint diff user-123 --with user-123-retry
  checkpoint diff user-123 3 4 --json | jq -r .path`,
		Args:              arguments(1, 3, "THREAD [V1 [V2]]"),
		ValidArgsFunction: a.completeVersion(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			d := diffing{app: a, thread: args[0], other: args[0]}
			if cmd.Flags().Changed("with") {
				d.other = with
			}
			for i, target := range []*int64{&d.from, &d.to} {
				if len(args) > i+1 {
					var err error
					if *target, err = parseVersion(args[i+1]); err != nil {
						return err
					}
				}
			}
			return a.paged(cmd, d.run)
		},
	}
	cmd.Flags().StringVar(&with, "with", "", "compare with this other `THREAD`")
	cmd.RegisterFlagCompletionFunc("with", func(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.completeThread(1)(cmd, nil, typed)
	})
	return cmd
}

// A diffing is one run of diff.
type diffing struct {
	*app
	thread, other string // the same unless --with names another
	from, to      int64  // versions; 0 is the latest
}

// states loads the two states that are compared.
func (d *diffing) states(ctx context.Context) (old, new anystate.State, err error) {
	store, err := d.open()
	if err != nil {
		return old, new, err
	}
	defer store.Close()
	if d.from == 0 && d.thread == d.other {
		if d.from, d.to, err = lastTwo(ctx, store, d.thread); err != nil {
			return old, new, err
		}
	}
	if old, err = loadState(ctx, store, d.thread, d.from); err != nil {
		return old, new, err
	}
	new, err = loadState(ctx, store, d.other, d.to)
	return old, new, err
}

// lastTwo returns the versions that the last save lies between.
func lastTwo(ctx context.Context, store *checkpoint.Store, thread string) (from, to int64, err error) {
	var versions []int64
	for info, err := range store.History(ctx, thread, checkpoint.HistoryOptions{Limit: 2}) {
		if err != nil {
			return 0, 0, err
		}
		versions = append(versions, info.Version)
	}
	switch len(versions) {
	case 0:
		return 0, 0, fmt.Errorf("the thread %q is %w", thread, checkpoint.ErrNotFound)
	case 1:
		return 0, 0, fmt.Errorf("the thread %q keeps one version alone, %d: there is none to compare it with", thread, versions[0])
	}
	return versions[1], versions[0], nil
}

func (d *diffing) run(ctx context.Context) error {
	old, new, err := d.states(ctx)
	if err != nil {
		return err
	}
	a := d.app
	if !old.IsJSON || !new.IsJSON {
		return fmt.Errorf("diff compares JSON, and these states are %q and %q; compare them with your own tools: checkpoint load %s --version N",
			old.Info.Encoding, new.Info.Encoding, terminal.Quote(d.thread))
	}
	changes, err := jsondiff.Compare(old.Data, new.Data)
	if err != nil {
		return fmt.Errorf("%w: %w", checkpoint.ErrCorrupt, err)
	}
	if a.json {
		for _, c := range changes {
			if err := a.printJSON(changeJSON{c.Op, c.Path, c.From, c.Count, c.Old, c.New}); err != nil {
				return err
			}
		}
		return nil
	}
	name, separator := terminal.Quote(d.thread), " "
	if d.thread != d.other {
		name += " → " + terminal.Quote(d.other)
	}
	versions := fmt.Sprintf("version %d, %s → version %d, %s",
		old.Info.Version, human.Time(old.Info.SavedAt), new.Info.Version, human.Time(new.Info.SavedAt))
	if width, isTerminal := a.width(); isTerminal && terminal.TextWidth(name+separator+versions) > width {
		name, separator = terminal.Fit(name, width), "\n"
	}
	err = a.printf("%s%s%s\n", a.style.Bold(name), separator, versions)
	for _, c := range changes {
		if err == nil {
			err = a.printChange(c)
		}
	}
	if err == nil && len(changes) == 0 {
		err = a.printf("the same state\n")
	}
	return err
}

// changeJSON is the form of a change under --json.
type changeJSON struct {
	Op    jsondiff.Op     `json:"op"`
	Path  string          `json:"path"`
	From  string          `json:"from,omitempty"`
	Count int             `json:"count,omitempty"`
	Old   json.RawMessage `json:"old,omitempty"`
	New   json.RawMessage `json:"new,omitempty"`
}

// printChange writes a change on one line where it fits, and otherwise with each
// value on a line of its own.
func (a *app) printChange(c jsondiff.Change) error {
	path := terminal.Quote(c.Path)
	if c.From != "" {
		path = terminal.Quote(c.From) + " → " + path
	}
	width, isTerminal := a.width()
	old, new := compact(c.Old), compact(c.New)
	if isTerminal {
		old, new = shorten(old, new, width-8)
	}
	switch c.Op {
	case jsondiff.Move:
		what := ""
		if c.Count > 1 {
			what = fmt.Sprintf(" (%d elements)", c.Count)
		}
		return a.printf("%s %s%s\n", a.style.Cyan(">"), path, what)
	case jsondiff.Add:
		return a.printValue("+", a.style.Green, path, new, width)
	case jsondiff.Remove:
		return a.printValue("-", a.style.Red, path, old, width)
	}
	if line := path + "  " + old + " → " + new; width == 0 || 2+terminal.TextWidth(line) <= width {
		return a.printf("%s %s  %s → %s\n", a.style.Yellow("~"), path, a.style.Red(old), a.style.Green(new))
	}
	return a.printf("%s %s\n    %s %s\n    %s %s\n", a.style.Yellow("~"), path,
		a.style.Red("-"), a.style.Red(old), a.style.Green("+"), a.style.Green(new))
}

func (a *app) printValue(sign string, colour func(string) string, path, value string, width int) error {
	if width > 0 && 4+terminal.TextWidth(path)+terminal.TextWidth(value) > width {
		return a.printf("%s %s\n      %s\n", colour(sign), path, colour(value))
	}
	return a.printf("%s %s  %s\n", colour(sign), path, colour(value))
}

// compact is a JSON value on one line that is safe to print.
func compact(value json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		return ""
	}
	return string(terminal.JSON(b.Bytes()))
}

// shorten cuts two values to a width, to where they differ if both are there.
func shorten(old, new string, width int) (string, string) {
	if terminal.TextWidth(old) <= width && terminal.TextWidth(new) <= width {
		return old, new
	}
	if old != "" && new != "" {
		const context = 12 // characters before the difference
		a, b := []rune(old), []rune(new)
		same := 0
		for same < len(a) && same < len(b) && a[same] == b[same] {
			same++
		}
		if same > context {
			old, new = "…"+string(a[same-context:]), "…"+string(b[same-context:])
		}
	}
	return terminal.Fit(strings.TrimSpace(old), width), terminal.Fit(strings.TrimSpace(new), width)
}

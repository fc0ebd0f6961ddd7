package cli

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/go-ckpt/checkpoint/internal/cli/foreign"
	"github.com/go-ckpt/checkpoint/internal/cli/human"
	"github.com/go-ckpt/checkpoint/takeover"
)

// formatsHelp lists what --from takes, a paragraph of the help.
func formatsHelp() string {
	var b strings.Builder
	for _, f := range foreign.Formats() {
		fmt.Fprintf(&b, "\n  %s %s\n", f.Name, f.Place)
		b.WriteString(wrapped(f.About, 6, 80))
	}
	return b.String()
}

// wrapped is text in lines of a width, indented.
func wrapped(text string, indent, width int) string {
	var b strings.Builder
	line := strings.Repeat(" ", indent)
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > width {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", indent)
		}
		if strings.TrimSpace(line) != "" {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}

func formatNamed(name string) (foreign.Format, error) {
	var names []string
	for _, f := range foreign.Formats() {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return foreign.Format{}, usagef("--from %s: unknown format; %s are known, and without --from a file of export", name, strings.Join(names, ", "))
}

// importFrom takes over what another program has saved.
func (a *app) importFrom(ctx context.Context, format, place, query string) error {
	f, err := formatNamed(format)
	if err != nil {
		return err
	}
	if f.Query != (query != "") {
		if f.Query {
			return usagef("--from %s needs --query, which selects the thread and its state", f.Name)
		}
		return usagef("--query goes with --from sql alone")
	}
	if place == "-" && isInteractive(a.in) {
		return usagef("import reads no states from the keyboard: name a file, or use a pipe")
	}
	store, err := a.source(true).open()
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.Ping(ctx); err != nil {
		return err
	}
	states, err := f.Open(ctx, foreign.Source{Place: place, Query: query, Input: a.input(ctx)})
	if err != nil {
		return err
	}
	defer states.Close()
	bar := a.progress("importing states", 0)
	stats, err := takeover.Into(ctx, store, counted(states.All, bar))
	bar.finish()
	return a.reportTakeover(stats, err)
}

func counted(states iter.Seq2[takeover.State, error], bar *progress) iter.Seq2[takeover.State, error] {
	return func(yield func(takeover.State, error) bool) {
		for s, err := range states {
			if !yield(s, err) {
				return
			}
			bar.add(1)
		}
	}
}

// reportTakeover says what was taken over, also when it broke off.
func (a *app) reportTakeover(n takeover.Stats, err error) error {
	did := fmt.Sprintf("%s, %s imported", human.Count(n.Threads, "thread"), human.Count(n.States, "state"))
	if n.Skipped > 0 {
		did += fmt.Sprintf("; %s skipped: the store has saves of its own there", human.Count(n.Skipped, "thread"))
	}
	if n.Expired > 0 {
		did += fmt.Sprintf("; %s left out: expired", human.Count(n.Expired, "state"))
	}
	if err != nil {
		a.note("%s; run the same import again to go on: what is there is recognised", did)
		return err
	}
	if a.json {
		return a.printJSON(struct {
			Threads int64 `json:"threads"`
			States  int64 `json:"states"`
			Skipped int64 `json:"skipped"`
			Expired int64 `json:"expired"`
		}{n.Threads, n.States, n.Skipped, n.Expired})
	}
	return a.done("%s\n", did)
}

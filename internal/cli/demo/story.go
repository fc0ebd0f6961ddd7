package demo

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// The threads of the story.
const (
	Thread = "user-123"
	forked = "user-123-long-words"
)

// The story's turning points.
const (
	killedIn   = 5 // the step in which the agent is killed, from 1
	lookedAt   = 3 // the version that is looked at, and forked
	longLetter = 6 // what counts as a long word in the fork
)

// A Story is told once.
type Story struct {
	Out     io.Writer
	Style   terminal.Style
	File    string                              // where the states are kept
	DSN     string                              // how Store was opened
	Store   *checkpoint.Store                   // keeps all versions
	Worker  func(ctx context.Context) *exec.Cmd // a new process that calls Work on Thread and writes its events to its standard output
	Command string                              // what a reader types for this command, with --store
	Pause   time.Duration                       // how long a step takes at least
	failed  error                               // of Out
}

// Tell tells the story, from the first process to the fork.
func (s *Story) Tell(ctx context.Context) error {
	for _, chapter := range []func(context.Context) error{s.crash, s.resume, s.lookBack, s.branch, s.ending} {
		if err := chapter(ctx); err != nil {
			return err
		}
		if s.failed != nil {
			return s.failed
		}
	}
	return nil
}

func (s *Story) say(format string, args ...any) {
	if _, err := fmt.Fprintf(s.Out, format+"\n", args...); err != nil {
		s.failed = err
	}
}

func (s *Story) heading(n int, title string) {
	s.say("\n%s", s.Style.Bold(fmt.Sprintf("%d. %s", n, title)))
}

// code shows what a user of the library would write.
func (s *Story) code(lines ...string) {
	s.say("")
	for _, line := range lines {
		s.say("     %s", s.Style.Cyan(line))
	}
	s.say("")
}

func (s *Story) crash(ctx context.Context) error {
	s.heading(1, "An agent works through a plan")
	s.say("   It reads a text, counts, and writes a report, in a process of its own.")
	s.say("   After every step it saves all that it knows:")
	s.code(
		fmt.Sprintf("store, err := checkpoint.Open(%q, %q)", "sqlite", s.DSN),
		fmt.Sprintf("info, err := store.Save(ctx, %q, state)", Thread))

	worker := s.Worker(ctx)
	killed := false
	err := s.watch(worker, func(step int) {
		if step == killedIn {
			time.Sleep(s.Pause / 2)
			worker.Process.Kill()
			killed = true
		}
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !killed && err != nil:
		return fmt.Errorf("the agent's process failed: %w", err)
	case !killed:
		return fmt.Errorf("the agent's process ended before it could be killed")
	}
	s.say("\n   %s  The process is dead, in the middle of step %d.", s.Style.Red(fmt.Sprintf("kill -9 %d", worker.Process.Pid)), killedIn)
	s.say("   It could not say goodbye: no handler ran, nothing was flushed.")
	return nil
}

func (s *Story) resume(ctx context.Context) error {
	s.heading(2, "A new process goes on where the old one was")
	s.code(
		"var state State",
		fmt.Sprintf("info, err := store.Load(ctx, %q, &state)", Thread))
	if err := s.watch(s.Worker(ctx), nil); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("the agent's second process failed: %w", err)
	}
	return nil
}

// watch runs a worker and tells what it reports. onStart is called when a step
// begins.
func (s *Story) watch(worker *exec.Cmd, onStart func(step int)) error {
	events, err := worker.StdoutPipe()
	if err != nil {
		return err
	}
	var complaint strings.Builder
	worker.Stderr = &complaint
	if err := worker.Start(); err != nil {
		return err
	}
	s.say("   %s", s.Style.Dim(fmt.Sprintf("process %d", worker.Process.Pid)))
	s.relay(events, onStart)
	if err := worker.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(complaint.String()))
	}
	return nil
}

func (s *Story) lookBack(ctx context.Context) error {
	s.heading(3, "Every step is still there")
	s.code(fmt.Sprintf("for info, err := range store.History(ctx, %q, checkpoint.HistoryOptions{}) { … }", Thread))
	table := terminal.NewTable(indent{s.Out}, 0, s.Style,
		terminal.Column{Title: "VERSION", Right: true}, terminal.Column{Title: "SAVED"},
		terminal.Column{Title: "SIZE", Right: true}, terminal.Column{Title: "METADATA"})
	for info, err := range s.Store.History(ctx, Thread, checkpoint.HistoryOptions{}) {
		if err != nil {
			return err
		}
		if err := table.Row(strconv.FormatInt(info.Version, 10), info.SavedAt.Local().Format("15:04:05.000"),
			fmt.Sprintf("%d B", info.Size), "step="+info.Metadata["step"]); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}

	var old State
	if _, err := s.Store.LoadVersion(ctx, Thread, lookedAt, &old); err != nil {
		return err
	}
	s.say("\n   This is what the agent knew at version %d:", lookedAt)
	s.code(fmt.Sprintf("info, err = store.LoadVersion(ctx, %q, %d, &old)", Thread, lookedAt))
	for _, todo := range old.Plan {
		if todo.Done {
			s.say("   %s %s", s.Style.Green("✓"), todo.Do)
		} else {
			s.say("   %s %s", s.Style.Dim("·"), s.Style.Dim(todo.Do))
		}
	}
	return nil
}

func (s *Story) branch(ctx context.Context) error {
	s.heading(4, "Another way from there")
	s.say("   A fork is a new thread that starts from an old version. This one is told")
	s.say("   to count long words only; the first run stays as it is.")
	s.code(
		fmt.Sprintf("info, err := store.Fork(ctx, %q, %d, %q)", Thread, lookedAt, forked),
		fmt.Sprintf("info, err = checkpoint.Update(ctx, store, %q, func(s *State) error {", forked),
		fmt.Sprintf("	s.Letters = %d", longLetter),
		"	return nil",
		"})")
	if _, err := s.Store.Fork(ctx, Thread, lookedAt, forked); err != nil {
		return err
	}
	_, err := checkpoint.Update(ctx, s.Store, forked, func(state *State) error {
		state.Letters = longLetter
		return nil
	}, checkpoint.Metadata(map[string]string{"step": "count long words only"}))
	if err != nil {
		return err
	}
	r, w := io.Pipe()
	told := make(chan struct{})
	go func() {
		s.relay(r, nil)
		close(told)
	}()
	err = Work(ctx, s.Store, forked, s.Pause/4, w)
	w.Close()
	<-told
	return err
}

func (s *Story) ending(context.Context) error {
	s.say("\n%s", s.Style.Bold("Look around"))
	s.say("   Everything is in %s. Delete it when you are done.\n", s.Style.Bold(s.File))
	for _, line := range []string{
		"list",
		"history " + Thread,
		fmt.Sprintf("diff %s %d %d", Thread, lookedAt, lookedAt+1),
		"load " + forked,
	} {
		s.say("   %s", s.Style.Cyan(s.Command+" "+line))
	}
	return nil
}

// indent moves a table to the right.
type indent struct{ w io.Writer }

func (i indent) Write(p []byte) (int, error) {
	if _, err := io.WriteString(i.w, "   "); err != nil {
		return 0, err
	}
	return i.w.Write(p)
}

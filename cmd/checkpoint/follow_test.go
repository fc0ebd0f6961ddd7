package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
)

// A following is a command that goes on until it is interrupted.
type following struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func follow(t *testing.T, args ...string) *following {
	t.Helper()
	cmd, _, _ := command(t, args)
	cmd.Stdout = nil
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &following{t, cmd, bufio.NewScanner(out)}
}

// next returns the next line, which it waits for.
func (f *following) next() string {
	f.t.Helper()
	if !f.lines.Scan() {
		f.t.Fatalf("the output of %q ended: %v: %s", f.cmd.Args, f.cmd.Wait(), f.cmd.Stderr)
	}
	return f.lines.Text()
}

// interrupt ends it, which leaves no more lines.
func (f *following) interrupt() {
	f.t.Helper()
	if err := f.cmd.Process.Signal(os.Interrupt); err != nil {
		f.t.Fatal(err)
	}
	if f.lines.Scan() {
		f.t.Errorf("%q printed %q after all", f.cmd.Args, f.lines.Text())
	}
	f.cmd.Wait()
	if got := f.cmd.ProcessState.ExitCode(); got != statusInterrupted {
		f.t.Errorf("%q: exit status %d, want %d: %s", f.cmd.Args, got, statusInterrupted, f.cmd.Stderr)
	}
}

func openFile(t *testing.T) (store *checkpoint.Store, url string) {
	t.Helper()
	url = "sqlite:" + filepath.Join(t.TempDir(), "store.db") + "?synchronous=normal"
	store, err := checkpoint.OpenURL(url, checkpoint.WithHistory(checkpoint.KeepAll))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if err := store.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store, url
}

func save(t *testing.T, store *checkpoint.Store, thread string, state any) {
	t.Helper()
	if _, err := store.Save(t.Context(), thread, state); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, store *checkpoint.Store, thread string) {
	t.Helper()
	if err := store.Delete(t.Context(), thread); err != nil {
		t.Fatal(err)
	}
}

// TestLogFollow follows a thread that is not there yet, grows, is deleted and
// begins again.
func TestLogFollow(t *testing.T) {
	t.Parallel()
	store, url := openFile(t)
	f := follow(t, "log", "t", "--follow", "--interval", "100ms", "--store", url)
	for _, event := range []string{"one", "two", "three"} {
		save(t, store, "t", event)
		if got, want := f.next(), `"`+event+`"`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	remove(t, store, "t")
	save(t, store, "t", "anew")
	if got, want := f.next(), `"anew"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	f.interrupt()

	later := follow(t, "log", "t", "--from", "2", "-f", "--interval", "100ms", "--store", url, "--json")
	save(t, store, "t", "second")
	if got := later.next(); !strings.Contains(got, `"version":2,`) || !strings.Contains(got, `"state":"second"`) {
		t.Errorf("got %s, want version 2 and its state", got)
	}
	later.interrupt()
}

// TestWatch sees threads being saved and deleted.
func TestWatch(t *testing.T) {
	t.Parallel()
	store, url := openFile(t)
	save(t, store, "user-1", 1)
	save(t, store, "other", 1)
	for _, args := range [][]string{{"watch", "--prefix", "user-"}, {"watch", "user-1"}} {
		f := follow(t, append(args, "--interval", "100ms", "--store", url)...)
		stderr := f.cmd.Stderr
		save(t, store, "other", 2)
		// The first look has no line: save until a later one sees a change.
		seen := make(chan string, 1)
		go func() { seen <- f.next() }()
		line := ""
		for line == "" {
			save(t, store, "user-1", 2)
			select {
			case line = <-seen:
			default:
			}
		}
		if !strings.Contains(line, "saved  user-1 version ") {
			t.Errorf("%q printed %q, want that user-1 was saved: %s", args, line, stderr)
		}
		remove(t, store, "user-1")
		for !strings.Contains(line, "gone   user-1") {
			if line = f.next(); strings.Contains(line, "other") {
				t.Errorf("%q printed %q", args, line)
			}
		}
		f.interrupt()
		save(t, store, "user-1", 1)
	}
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// A session is a command that runs on a pseudo-terminal.
type session struct {
	t      *testing.T
	cmd    *exec.Cmd
	pty    *os.File
	output bytes.Buffer
}

// onTerminal starts the command on the store, on a terminal of 80 columns and
// without a pager, with more in its environment.
func onTerminal(t *testing.T, store string, env []string, args ...string) *session {
	t.Helper()
	return onTerminalOf(t, 80, store, env, args...)
}

// onTerminalOf is onTerminal for another number of columns.
func onTerminalOf(t *testing.T, columns uint16, store string, env []string, args ...string) *session {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Args[0] = "checkpoint" // see TestMain
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "PAGER=cat", "NO_COLOR=", "TZ=UTC", "CHECKPOINT_STORE="+store)
	cmd.Env = append(cmd.Env, env...)
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: columns, Rows: 24})
	if err != nil {
		t.Skipf("no pseudo-terminal here: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	return &session{t: t, cmd: cmd, pty: f}
}

// await reads until the output has text.
func (s *session) await(text string) {
	s.t.Helper()
	buffer := make([]byte, 4096)
	for !strings.Contains(s.output.String(), text) {
		n, err := s.pty.Read(buffer)
		s.output.Write(buffer[:n])
		if err != nil {
			s.t.Fatalf("the output ended without %q:\n%q", text, s.output.String())
		}
	}
}

// end reads the rest and returns all of the output and the exit status.
func (s *session) end() (string, int) {
	s.t.Helper()
	io.Copy(&s.output, s.pty) // ends with an error when the other side closes
	err := s.cmd.Wait()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		s.t.Fatal(err)
	}
	return s.output.String(), s.cmd.ProcessState.ExitCode()
}

// fillStore makes a SQLite store and returns its URL.
func fillStore(t *testing.T, threads, versions int) string {
	t.Helper()
	url := "sqlite:" + filepath.Join(t.TempDir(), "store.db") + "?synchronous=normal"
	store, err := checkpoint.OpenURL(url, checkpoint.WithHistory(checkpoint.KeepAll))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for i := range threads {
		for v := range versions {
			state := map[string]any{"step": v, "text": strings.Repeat("x", 100)}
			if _, err := store.Save(t.Context(), fmt.Sprintf("user-%06d-%s", i, strings.Repeat("long-name-", 5)), state); err != nil {
				t.Fatal(err)
			}
		}
	}
	return url
}

// escapes are the colours and what else a terminal does not show.
var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// screen returns the lines of a session's output as a person reads them.
func screen(output string) []string {
	lines := strings.Split(strings.ReplaceAll(escapes.ReplaceAllString(output, ""), "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = line[strings.LastIndexByte(line, '\r')+1:]
	}
	return lines
}

func TestTablesOnTerminal(t *testing.T) {
	t.Parallel()
	url := fillStore(t, 3, 2)
	store, err := checkpoint.OpenURL(url)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Save(t.Context(), "\x1b]0;owned\a世界"+strings.Repeat("世", 60), map[string]string{"text": "\u009b31m red \x1b[0m"},
		checkpoint.Metadata(map[string]string{"note": strings.Repeat("m", 90) + "\x1b[31m"})); err != nil {
		t.Fatal(err)
	}
	hostile := "\x1b]0;owned\a世界" + strings.Repeat("世", 60)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"list"}, "THREAD"},
		{[]string{"history", hostile}, "METADATA"},
		{[]string{"diff", "user-000000-" + strings.Repeat("long-name-", 5), "1", "2"}, "~ .step  0 → 1"},
		{[]string{"stat", "user-000000-" + strings.Repeat("long-name-", 5)}, "expires    never"},
		{[]string{"load", "user-000000-" + strings.Repeat("long-name-", 5)}, `  "step": 1,`},
		{[]string{"load", hostile}, `  "text": "\u009b31m red \u001b[0m"`},
		{[]string{"verify", "--store", "memory:pty"}, "conditions"},
		{[]string{"verify", "--cases", "--store", "memory:pty"}, "Raw/Save/"},
	} {
		output, status := onTerminal(t, url, nil, test.args...).end()
		lines := screen(output)
		if !strings.Contains(strings.Join(lines, "\n"), test.want) || status != 0 {
			t.Errorf("%q: exit status %d and\n%s\nwant %s", test.args, status, output, test.want)
		}
		for _, line := range lines {
			if got := terminal.TextWidth(line); got > 80 && !strings.Contains(line, `"text"`) {
				t.Errorf("%q: a line of %d columns: %q", test.args, got, line)
			}
		}
		if strings.Contains(output, "\x1b]") || strings.Contains(output, "\u009b") {
			t.Errorf("%q: the output acts on the terminal: %q", test.args, output)
		}
	}
}

// TestNothingReachesTheTerminal runs every command that shows names, metadata,
// states and errors on ones that a terminal would act on.
func TestNothingReachesTheTerminal(t *testing.T) {
	t.Parallel()
	const (
		title  = "\x1b]0;owned\a"
		c1     = "\u009b31m\u009d0;owned\u009c"
		bidi   = "\u202egnp.exe"
		cursor = "\x1b[2J\x1b[1;1H\r\b\x7f"
	)
	evil := title + c1 + bidi + cursor + "\nname"
	long := evil + strings.Repeat("long ", (512-len(evil))/5)
	url := "sqlite:" + filepath.Join(t.TempDir(), "store.db") + "?synchronous=normal"
	store, err := checkpoint.OpenURL(url, checkpoint.WithHistory(checkpoint.KeepAll))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, thread := range []string{evil, long} {
		for v := range 2 {
			state := map[string]any{evil: v, "list": []string{evil, strings.Repeat(evil, v+1)}}
			if _, err := store.Save(t.Context(), thread, state, checkpoint.Metadata(map[string]string{evil: evil})); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := store.Save(t.Context(), "blob", checkpoint.Bytes(evil)); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(state, []byte(`{"a":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken"+evil[:7]+".jsonl")
	if err := os.WriteFile(broken, []byte(`{"checkpoint_export":1,"`+evil+`"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		status int
		args   []string
	}{
		{0, []string{"list"}},
		{0, []string{"list", "--json"}},
		{0, []string{"stat", long}},
		{0, []string{"stat", long, "--json"}},
		{0, []string{"history", long}},
		{0, []string{"history", long, "--json"}},
		{0, []string{"load", long}},
		{0, []string{"load", long, "--json"}},
		{0, []string{"load", "blob"}},
		{0, []string{"load", "blob", "--json"}},
		{0, []string{"diff", long, "1", "2"}},
		{0, []string{"diff", long, "1", "2", "--json"}},
		{0, []string{"restore", long, "1"}},
		{0, []string{"fork", long, "1", evil + "new"}},
		{0, []string{"save", evil, state, "--meta", "k=" + evil}},
		{0, []string{"export", "--quiet", "file" + evil}},
		{0, []string{"delete", evil}},
		{3, []string{"load", evil}},
		{3, []string{"stat", evil}},
		{4, []string{"fork", long, "1", long}},
		{2, []string{"save", "a", state, "--meta", evil}},
		{2, []string{"restore", "a", evil}},
		{2, []string{"list", "-n", evil}},
		{2, []string{"list", "--" + evil}},
		{2, []string{evil}},
		{2, []string{"save", strings.Repeat(evil, 20), state}},
		{1, []string{"import", broken, "--quiet"}},
		{1, []string{"import", evil, "--quiet"}},
		{1, []string{"export", evil + "/x"}},
		{1, []string{"list", "--store", "sqlite:" + evil}},
		{2, []string{"list", "--store", "sqlite:x?" + evil + "=1"}},
		{2, []string{"list", "--store", evil + ":x"}},
		{2, []string{"export", "-"}},
	} {
		output, status := onTerminal(t, url, []string{"NO_COLOR=1"}, test.args...).end()
		if status != test.status {
			t.Errorf("%q: exit status %d, want %d:\n%s", test.args, status, test.status, output)
		}
		for _, r := range strings.ReplaceAll(output, "\r\n", "\n") {
			if r != '\n' && !strconv.IsPrint(r) {
				t.Errorf("%q: the output has %U: %q", test.args, r, output)
				break
			}
		}
	}
}

func TestColours(t *testing.T) {
	t.Parallel()
	url := fillStore(t, 1, 1)
	for _, test := range []struct {
		env  []string
		want bool
	}{
		{nil, true},
		{[]string{"NO_COLOR=1"}, false},
		{[]string{"TERM=dumb"}, false},
	} {
		output, _ := onTerminal(t, url, test.env, "list").end()
		if got := strings.Contains(output, "\x1b["); got != test.want {
			t.Errorf("with %q: coloured: %v, want %v", test.env, got, test.want)
		}
	}
}

// TestProgressOnTerminal shows the bars of long work, gone when it is done.
func TestProgressOnTerminal(t *testing.T) {
	t.Parallel()
	url := fillStore(t, 400, 1)
	folder := t.TempDir()
	file, copied, imported := filepath.Join(folder, "all.jsonl"), "sqlite:"+filepath.Join(folder, "copied.db"), "sqlite:"+filepath.Join(folder, "imported.db")
	for _, test := range []struct {
		args       []string
		bar, final string
	}{
		{[]string{"export", file}, "exporting threads", "exported 400 threads"},
		{[]string{"import", file, "--store", imported}, "importing", "400 threads, 400 checkpoints"},
		{[]string{"copy", "--to", copied}, "copying threads", "copied 400 threads"},
		{[]string{"purge"}, "purging", "purged 0 threads"},
		{[]string{"verify", "--store", "memory:progress"}, "verifying", " 0 failed"},
		{[]string{"bench", "--duration", "200ms"}, "measuring", "OPERATION"},
	} {
		output, status := onTerminal(t, url, nil, test.args...).end()
		if !strings.Contains(output, test.bar) || !strings.Contains(output, "\r") {
			t.Errorf("%q shows no progress %q:\n%q", test.args, test.bar, output)
		}
		last := strings.Join(screen(output), "\n")
		if !strings.Contains(last, test.final) || strings.Contains(last, test.bar+" ") || status != 0 {
			t.Errorf("%q: exit status %d, and what stays on the screen is\n%s\nwant %q and no bar", test.args, status, last, test.final)
		}
	}
	if output, _ := onTerminal(t, url, nil, "export", file, "--force").end(); !strings.Contains(output, "/400") && !strings.Contains(output, "%") {
		t.Errorf("the bar never knew its total: %q", output)
	}
	for _, quiet := range []string{"--quiet", "--json"} {
		if output, _ := onTerminal(t, url, nil, "export", file, "--force", quiet).end(); strings.Contains(output, "exporting") {
			t.Errorf("export %s shows progress: %q", quiet, output)
		}
	}
}

// TestCtrlC interrupts a copy, which says how to go on; the same copy does.
func TestCtrlC(t *testing.T) {
	t.Parallel()
	const threads = 1500
	url := fillStore(t, threads, 1)
	to := "sqlite:" + filepath.Join(t.TempDir(), "copied.db")
	s := onTerminal(t, url, nil, "copy", "--to", to, "--concurrency", "1")
	s.await("copying threads")
	if _, err := s.pty.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	output, status := s.end()
	if status != statusInterrupted || !strings.Contains(output, "run the same copy again to go on") || !strings.Contains(output, "checkpoint: interrupted") {
		t.Errorf("exit status %d and\n%s\nwant %d and how to go on", status, output, statusInterrupted)
	}
	output, status = onTerminal(t, url, nil, "copy", "--to", to).end()
	if status != 0 || !strings.Contains(output, "copied") {
		t.Errorf("again: exit status %d and\n%s", status, output)
	}
	output, _ = onTerminal(t, url, nil, "copy", "--to", to, "--json").end()
	if want := fmt.Sprintf(`"skipped":%d`, threads); !strings.Contains(output, want) {
		t.Errorf("a third time: %s, want %s", output, want)
	}
}

// TestCtrlCSaysHowToGoOn interrupts what takes long, or would wait for ever.
func TestCtrlCSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	url := fillStore(t, 1, 1)
	for _, test := range []struct {
		args        []string
		await, want string
	}{
		{[]string{"save", "a"}, "end with Ctrl-D", ""},
		{[]string{"bench", "--duration", "1h", "--bare"}, "measuring", "run bench again"},
		{[]string{"verify"}, "verifying", "run verify again"},
	} {
		s := onTerminal(t, url, nil, test.args...)
		s.await(test.await)
		if _, err := s.pty.Write([]byte{3}); err != nil {
			t.Fatal(err)
		}
		output, status := s.end()
		if status != statusInterrupted || !strings.Contains(output, "checkpoint: interrupted") || !strings.Contains(output, test.want) {
			t.Errorf("%q: exit status %d and\n%s\nwant %d and %q", test.args, status, output, statusInterrupted, test.want)
		}
	}
	all, _ := onTerminal(t, url, []string{"TERM=dumb"}, "export", "--all-namespaces", filepath.Join(t.TempDir(), "all.jsonl")).end()
	if !strings.Contains(all, "exported 1 thread, 1 checkpoint,") {
		t.Errorf("something was left behind: %s", all)
	}
}

// TestInterruptedInput interrupts an import from a pipe that nothing comes through.
func TestInterruptedInput(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "all.jsonl")
	if output, status := onTerminal(t, fillStore(t, 5, 1), nil, "export", file).end(); status != 0 {
		t.Fatal(output)
	}
	lines, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dst := "sqlite:" + filepath.Join(t.TempDir(), "imported.db")
	there := backend(t, dst)
	cmd, _, stderr := command(t, []string{"import", "-", "--store", dst})
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(lines[:len(lines)-100]); err != nil { // less the footer
		t.Fatal(err)
	}
	for countCheckpoints(t, there) == 0 {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() != statusInterrupted || !strings.Contains(stderr.String(), "run the same import again to go on") {
		t.Errorf("%v and\n%s\nwant exit status %d and how to go on", err, stderr, statusInterrupted)
	}
}

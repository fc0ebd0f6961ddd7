package adapterstores

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

const (
	childURL    = "CHECKPOINT_ADAPTER_CHILD_URL"
	childNumber = "CHECKPOINT_ADAPTER_CHILD_NUMBER"
)

// Child tells a test that it runs in a process that [StartProcess] has started, and
// with which URL and number.
func Child() (url string, number int, ok bool) {
	number, err := strconv.Atoi(os.Getenv(childNumber))
	return os.Getenv(childURL), number, err == nil
}

// A Process is a test that runs again in a process of its own.
type Process struct {
	*exec.Cmd
	lines  *bufio.Reader
	output strings.Builder
}

// StartProcess runs the test that calls it again in another process, where [Child]
// returns the URL and the number. It is killed at the end of the test if it still
// runs.
func StartProcess(t testing.TB, url string, number int) *Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	test, _, _ := strings.Cut(t.Name(), "/")
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self, "-test.run=^"+test+"$", "-test.v=false")
	cmd.Env = append(os.Environ(), childURL+"="+url, fmt.Sprint(childNumber, "=", number))
	p := &Process{Cmd: cmd}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	p.lines = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.ProcessState == nil {
			p.Process.Kill()
			p.Wait()
		}
	})
	return p
}

// Await reads what the process prints until a line is this one.
func (p *Process) Await(t testing.TB, line string) {
	t.Helper()
	for {
		got, err := p.lines.ReadString('\n')
		p.output.WriteString(got)
		if strings.TrimSpace(got) == line {
			return
		}
		if err != nil {
			t.Fatalf("the process ended without printing %q:\n%s", line, p.output.String())
		}
	}
}

// Kill kills the process, as SIGKILL does, and returns the lines that it has printed
// since the last one that was awaited. The last of them may be cut off.
func (p *Process) Kill(t testing.TB) []string {
	t.Helper()
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(p.lines)
	p.Wait()
	return strings.Split(string(rest), "\n")
}

// Done waits for the process, which has to succeed.
func (p *Process) Done(t testing.TB) {
	t.Helper()
	rest, _ := io.ReadAll(p.lines)
	if err := p.Wait(); err != nil {
		t.Errorf("process: %v\n%s%s", err, p.output.String(), rest)
	}
}

// Processes runs the test that calls it in n other processes at the same time, with
// the numbers from 0, and waits for them.
func Processes(t testing.TB, url string, n int) {
	t.Helper()
	var all []*Process
	for i := range n {
		all = append(all, StartProcess(t, url, i))
	}
	for _, p := range all {
		p.Done(t)
	}
}

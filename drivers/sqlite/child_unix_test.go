//go:build unix

package sqlite_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// childMode tells this test binary to be one of children instead.
const childMode = "CHECKPOINT_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		children[mode](os.Args[1:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// children are the programs that tests start as other processes. What they
// print is for the test; a panic fails it.
var children = map[string]func(args []string){
	"umask":    umaskChild,
	"readOnly": readOnlyChild,
	"frozen":   frozenChild,
	"writer":   writerChild,
	"racer":    racerChild,
}

// addChild adds one that not every system has.
func addChild(mode string, f func([]string)) bool {
	children[mode] = f
	return true
}

// A child is another process of this test binary.
type child struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Scanner
	wrong strings.Builder // its standard error
}

// start starts a child as that user, nil for the same one. It is killed at the
// end of the test if it is still there.
func start(t testing.TB, mode string, user *syscall.Credential, args ...string) *child {
	t.Helper()
	c, err := tryStart(t, mode, &syscall.SysProcAttr{Credential: user}, args...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tryStart is start for children that not every system allows.
func tryStart(t testing.TB, mode string, attr *syscall.SysProcAttr, args ...string) (*child, error) {
	t.Helper()
	exe := "/proc/self/exe" // another user may not get to the file by its path
	if _, err := os.Stat(exe); err != nil {
		if exe, err = os.Executable(); err != nil {
			t.Fatal(err)
		}
	}
	c := &child{cmd: exec.Command(exe, args...)}
	c.cmd.Env = append(os.Environ(), childMode+"="+mode)
	c.cmd.Dir = "/"
	c.cmd.Stderr = &c.wrong
	c.cmd.SysProcAttr = attr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.in, c.out = in, bufio.NewScanner(out)
	c.out.Buffer(nil, 1<<20)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(c.kill)
	return c, nil
}

// line returns the next line that the child prints.
func (c *child) line(t testing.TB) string {
	t.Helper()
	if !c.out.Scan() {
		_ = c.cmd.Wait()
		t.Fatalf("the child ended: %v\n%s", c.cmd.ProcessState, &c.wrong)
	}
	return c.out.Text()
}

// rest returns what the child prints until it ends, which it has to do well.
func (c *child) rest(t testing.TB) []string {
	t.Helper()
	var lines []string
	for c.out.Scan() {
		lines = append(lines, c.out.Text())
	}
	if err := c.cmd.Wait(); err != nil {
		t.Fatalf("the child failed: %v\n%s", err, &c.wrong)
	}
	return lines
}

func (c *child) kill() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	}
}

// nobody is a user who is bound by modes of files, as root is not; nil if this
// user is not root.
func nobody() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}

// publicDir is a folder that other users can look into.
func publicDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// must is for children.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// say prints a line for the test, at once.
func say(format string, args ...any) {
	_, err := fmt.Fprintf(os.Stdout, format+"\n", args...)
	must(err)
}

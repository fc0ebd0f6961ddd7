//go:build unix

package lease

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
	"github.com/go-ckpt/checkpoint/lease"
)

const (
	childEnv = "CHECKPOINT_TEST_LEASE" // the folder of the database and the log
	ttl      = time.Second
	children = 4
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childEnv); folder != "" {
		if err := work(folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// work takes the lease again and again, and writes a line for each step of work that
// it does under it, until there is a file "stop".
func work(folder string) error {
	store, err := checkpoint.Open("sqlite", filepath.Join(folder, "leases.db"))
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(folder, "log"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for n := 0; ; n++ {
		if _, err := os.Stat(filepath.Join(folder, "stop")); err == nil {
			return nil
		}
		l, err := lease.Acquire(ctx, store, "thread", lease.Options{TTL: ttl, Wait: true})
		if err != nil {
			return err
		}
		for step := 0; step < 30 && l.Context().Err() == nil; step++ {
			fmt.Fprintf(log, "%d.%d\n", os.Getpid(), n)
			select {
			case <-l.Context().Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
		_ = l.Release(ctx) // of a lost lease it is ErrLost
	}
}

// TestProcesses: of workers that are paused for longer than the TTL and killed, one
// at a time works. A worker that was paused between looking at its context and
// writing, which no lease can prevent, writes one step late at most.
func TestProcesses(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	logFile := filepath.Join(folder, "log")
	if err := os.WriteFile(logFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	start := func() *exec.Cmd {
		c := exec.Command(program, "-test.run", "^$")
		c.Env = append(os.Environ(), childEnv+"="+folder)
		c.Stderr = new(bytes.Buffer)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	var workers []*exec.Cmd
	for range children {
		workers = append(workers, start())
	}
	holder := func() int { // the worker that wrote last
		text, _ := os.ReadFile(logFile)
		lines := strings.Fields(string(text))
		for i, w := range workers {
			if len(lines) > 0 && strings.HasPrefix(lines[len(lines)-1], fmt.Sprint(w.Process.Pid)+".") {
				return i
			}
		}
		return rand.IntN(children)
	}
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	for round := range rounds {
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
		w := holder()
		if round%3 == 0 {
			workers[w].Process.Kill()
			workers[w].Wait()
			workers[w] = start()
			continue
		}
		workers[w].Process.Signal(syscall.SIGSTOP)
		time.Sleep(ttl + ttl/4)
		workers[w].Process.Signal(syscall.SIGCONT)
	}
	if err := os.WriteFile(filepath.Join(folder, "stop"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, w := range workers {
		if err := w.Wait(); err != nil {
			t.Errorf("worker: %v\n%s", err, w.Stderr)
		}
	}
	text, err := os.ReadFile(logFile)
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string][]int{} // the lines of each lease
	for i, line := range strings.Fields(string(text)) {
		steps[line] = append(steps[line], i)
	}
	for one, a := range steps {
		for other, b := range steps {
			if one < other && within(a, b) > 1 && within(b, a) > 1 {
				t.Errorf("the leases %s and %s were held at once: lines %v and %v of the log", one, other, a, b)
			}
		}
	}
	turns := len(steps)
	t.Logf("%d leases, %d rounds", turns, rounds)
	if turns < rounds {
		t.Errorf("%d leases in %d rounds: the workers did not take turns", turns, rounds)
	}
}

// within counts the lines of b between the first and the last one of a.
func within(a, b []int) int {
	n := 0
	for _, line := range b {
		if a[0] < line && line < a[len(a)-1] {
			n++
		}
	}
	return n
}

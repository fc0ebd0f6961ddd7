package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/agentstate"
	"github.com/go-ckpt/checkpoint/internal/jsondiff"
)

// copyVersions is how many versions each thread of TestCopyPairs has.
const copyVersions = 5

// copyThreads returns how many threads TestCopyPairs copies between each two
// stores: 100, or what CHECKPOINT_TEST_COPY says; 10000 is the full form.
func copyThreads(t *testing.T) int {
	n, err := strconv.Atoi(firstOf(os.Getenv("CHECKPOINT_TEST_COPY"), "100"))
	if err != nil || n < 1 {
		t.Fatalf("CHECKPOINT_TEST_COPY: want a number of threads")
	}
	return n
}

// TestCopyPairs copies between every two kinds of stores. Each copy is killed in
// the middle and run again, and then everything is compared.
func TestCopyPairs(t *testing.T) {
	t.Parallel()
	threads := copyThreads(t)
	open := maps.Clone(stores)
	open["memory"] = func(testing.TB) string { return "memory:copy-" + rand.Text() }
	for _, from := range slices.Sorted(maps.Keys(open)) {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			src := source{url: open[from](t), create: true}
			fill(t, src, threads)
			want := backend(t, src)
			for _, to := range slices.Sorted(maps.Keys(open)) {
				if from == to {
					continue
				}
				t.Run(to, func(t *testing.T) {
					dst := source{url: open[to](t), create: true}
					got := backend(t, dst)
					args := []string{"copy", "--from", src.url, "--to", dst.url, "--history", "--concurrency", "4", "--json"}
					if from == "memory" || to == "memory" { // which live in this process
						copyAndCancel(t, got, threads/3, args)
						copyHere(t, args)
					} else {
						copyAndKill(t, got, threads/3, args)
						copyThere(t, args)
					}
					compareStores(t, got, want, threads)
				})
			}
		})
	}
}

func backend(t *testing.T, s source) driver.Backend {
	t.Helper()
	b, err := s.openBackend()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// fill saves threads of several versions: JSON and bytes, with metadata and
// expiry.
func fill(t *testing.T, s source, threads int) {
	t.Helper()
	store, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for i := range threads {
		for v := range copyVersions {
			var state any = agentstate.New(1_000, uint64(i*copyVersions+v))
			if i%4 == 3 {
				state = checkpoint.Bytes(agentstate.JSON(1_000, uint64(i)))
			}
			opts := []checkpoint.SaveOption{checkpoint.Metadata(map[string]string{"step": strconv.Itoa(v)})}
			if i%5 == 0 {
				opts = append(opts, checkpoint.ExpiresIn(time.Hour))
			}
			if _, err := store.Save(t.Context(), fmt.Sprintf("user/%06d/é%%", i), state, opts...); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// command returns the command as a process of its own.
func command(t *testing.T, args []string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Args[0] = "checkpoint" // see TestMain
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	return cmd, &output
}

// copyAndKill kills a copy when the destination has some threads.
func copyAndKill(t *testing.T, dst driver.Backend, some int, args []string) {
	t.Helper()
	cmd, output := command(t, args)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	for {
		select {
		case err := <-waited:
			if err != nil {
				t.Fatalf("the copy failed before it was killed: %v: %s", err, output)
			}
			t.Log("the copy was over before it could be killed")
			return
		default:
		}
		if countThreads(t, dst) >= some {
			cmd.Process.Kill()
			<-waited
			t.Logf("killed with %d threads copied", countThreads(t, dst))
			return
		}
	}
}

func copyThere(t *testing.T, args []string) {
	t.Helper()
	cmd, output := command(t, args)
	if err := cmd.Run(); err != nil {
		t.Fatalf("the copy after the kill: %v: %s", err, output)
	}
}

// copyAndCancel cancels a copy in this process when the destination has some
// threads.
func copyAndCancel(t *testing.T, dst driver.Backend, some int, args []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- execute(ctx, args, io.Discard) }()
	for {
		select {
		case <-done:
			return
		default:
		}
		if countThreads(t, dst) >= some {
			cancel()
			<-done
			return
		}
	}
}

func copyHere(t *testing.T, args []string) {
	t.Helper()
	if err := execute(t.Context(), args, io.Discard); err != nil {
		t.Fatalf("the copy after the interruption: %v", err)
	}
}

// execute runs the command in this process.
func execute(ctx context.Context, args []string, out io.Writer) error {
	root := newRoot(newApp(strings.NewReader(""), out, out))
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

func countThreads(t *testing.T, b driver.Backend) int {
	t.Helper()
	n := 0
	for _, err := range b.List(t.Context(), driver.ListRequest{Namespace: checkpoint.DefaultNamespace, Now: now()}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// compareStores compares every version of every thread.
func compareStores(t *testing.T, got, want driver.Backend, threads int) {
	t.Helper()
	if n := countThreads(t, got); n != threads {
		t.Errorf("the copy has %d threads, want %d", n, threads)
	}
	for latest, err := range want.List(t.Context(), driver.ListRequest{Namespace: checkpoint.DefaultNamespace, Now: now()}) {
		if err != nil {
			t.Fatal(err)
		}
		for v := range int64(copyVersions) {
			req := driver.LoadRequest{Key: latest.Key, Version: v + 1, Now: now()}
			w, err := want.Load(t.Context(), req)
			if err != nil {
				t.Fatalf("version %d of %q: %v", v+1, latest.Thread, err)
			}
			g, err := got.Load(t.Context(), req)
			if err != nil {
				t.Fatalf("the copy's version %d of %q: %v", v+1, latest.Thread, err)
			}
			if !samePayload(g, w) {
				t.Fatalf("version %d of %q: the payloads differ", v+1, latest.Thread)
			}
			g.Size, w.Size = 0, 0 // stores of native JSON write it anew
			if !reflect.DeepEqual(g.Info, w.Info) {
				t.Fatalf("the copy has %+v, want %+v", g.Info, w.Info)
			}
		}
		req := driver.LoadRequest{Key: latest.Key, Now: now()}
		if g, err := got.Load(t.Context(), req); err != nil || g.Version != copyVersions {
			t.Fatalf("the copy's latest of %q: version %d, %v; want %d", latest.Thread, g.Version, err, copyVersions)
		}
	}
}

func samePayload(a, b driver.Checkpoint) bool {
	if a.Encoding != "json" {
		return bytes.Equal(a.Payload, b.Payload)
	}
	changes, err := jsondiff.Compare(a.Payload, b.Payload)
	return err == nil && len(changes) == 0
}

package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/cli"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/cli/jsondiff"
	"github.com/go-ckpt/checkpoint/internal/registry"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

const (
	copyVersions    = 5 // of each thread of TestCopyPairs
	copyConcurrency = 4 // threads that it copies at a time
)

// copyThreads returns how many threads TestCopyPairs copies between each two
// stores: 20, or what CHECKPOINT_TEST_COPY says. "scripts/prove.sh copy" runs
// the long form, of 10,000.
func copyThreads(t *testing.T) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("CHECKPOINT_TEST_COPY"), "20"))
	if err != nil || n < 10 {
		t.Fatalf("CHECKPOINT_TEST_COPY: want a number of threads, at least 10")
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
			src := open[from](t)
			fill(t, src, threads)
			want := backend(t, src)
			for _, to := range slices.Sorted(maps.Keys(open)) {
				if from == to {
					continue
				}
				t.Run(to, func(t *testing.T) {
					dst := open[to](t)
					got := backend(t, dst)
					args := []string{"copy", "--from", src, "--to", dst, "--history", "--concurrency", strconv.Itoa(copyConcurrency), "--json"}
					run := copyThere
					if from == "memory" || to == "memory" { // which live in this process
						run = copyHere
						copyAndCancel(t, got, threads/3, args)
					} else {
						copyAndKill(t, got, threads/3, args)
					}
					all := int64(threads * copyVersions)
					there := countCheckpoints(t, got)
					t.Logf("ended with %d of %d checkpoints copied", there, all)
					n := run(t, args)
					// What was under way when the first copy ended may still have come to
					// its end in the database, after the count: one for each of its threads.
					if late := all - there - n.Checkpoints; late < 0 || late > copyConcurrency || n.Threads+n.Skipped != int64(threads) {
						t.Errorf("the copy after %d of %d checkpoints counts %+v", there, all, n)
					}
					compareStores(t, got, want, threads, from == "postgres" || to == "postgres")
					if n := run(t, args); n != (checkpoint.CopyStats{Skipped: int64(threads)}) {
						t.Errorf("a copy with nothing left to do counts %+v, want %d skipped", n, threads)
					}
				})
			}
		})
	}
}

// statusInterrupted is the exit status of a command that was interrupted.
const statusInterrupted = 130

// backend opens the backend of a store whose URL has none of the words of package
// checkpoint.
func backend(t *testing.T, url string) driver.Backend {
	t.Helper()
	scheme, _, _ := strings.Cut(url, ":")
	d, err := registry.FindDriver(registry.Drivers, scheme)
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// copyThread names the threads of TestCopyPairs, in ascending order.
func copyThread(i int) string { return fmt.Sprintf("user/%06d/é%%", i) }

// fill saves threads of several versions: JSON and bytes, with metadata and
// expiry.
func fill(t *testing.T, url string, threads int) {
	t.Helper()
	store, err := checkpoint.OpenURL(url, checkpoint.WithHistory(checkpoint.KeepAll))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	const savers = 8
	var wg sync.WaitGroup
	for saver := range savers {
		wg.Go(func() {
			for i := saver; i < threads && !t.Failed(); i += savers {
				if err := fillThread(t.Context(), store, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if wg.Wait(); t.Failed() {
		t.FailNow()
	}
}

func fillThread(ctx context.Context, store *checkpoint.Store, i int) error {
	for v := range copyVersions {
		var state any = agentstate.New(1_000, uint64(i*copyVersions+v))
		if i%4 == 3 {
			state = checkpoint.Bytes(agentstate.JSON(1_000, uint64(i*copyVersions+v)))
		}
		opts := []checkpoint.SaveOption{checkpoint.Metadata(map[string]string{"step": strconv.Itoa(v)})}
		if i%5 == 0 {
			opts = append(opts, checkpoint.ExpiresIn(24*time.Hour))
		}
		if _, err := store.Save(ctx, copyThread(i), state, opts...); err != nil {
			return err
		}
	}
	return nil
}

// command returns the command as a process of its own.
func command(t *testing.T, args []string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(t.Context(), self, args...)
	cmd.Args[0] = "checkpoint" // see TestMain
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

// copyAndKill kills a copy when the destination has some threads.
func copyAndKill(t *testing.T, dst driver.Backend, some int, args []string) {
	t.Helper()
	cmd, _, stderr := command(t, args)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	for {
		select {
		case err := <-waited:
			if err != nil {
				t.Fatalf("the copy failed before it was killed: %v: %s", err, stderr)
			}
			return // too fast for us
		default:
		}
		if hasThread(t, dst, some) {
			cmd.Process.Kill()
			<-waited
			return
		}
	}
}

// copyThere copies in a process of its own.
func copyThere(t *testing.T, args []string) checkpoint.CopyStats {
	t.Helper()
	cmd, stdout, stderr := command(t, args)
	if err := cmd.Run(); err != nil {
		t.Fatalf("the copy after the kill: %v: %s", err, stderr)
	}
	return readStats(t, stdout.Bytes())
}

// copyAndCancel cancels a copy in this process when the destination has some
// threads.
func copyAndCancel(t *testing.T, dst driver.Backend, some int, args []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		execute(ctx, args, io.Discard)
	}()
	for {
		select {
		case <-done:
			return
		default:
		}
		if hasThread(t, dst, some) {
			cancel()
			<-done
			return
		}
	}
}

// copyHere copies in this process.
func copyHere(t *testing.T, args []string) checkpoint.CopyStats {
	t.Helper()
	var out bytes.Buffer
	if status, stderr := execute(t.Context(), args, &out); status != 0 {
		t.Fatalf("the copy after the interruption: exit status %d: %s", status, stderr)
	}
	return readStats(t, out.Bytes())
}

// execute runs the command in this process.
func execute(ctx context.Context, args []string, out io.Writer) (status int, errors string) {
	var stderr strings.Builder
	status = cli.Run(ctx, args, strings.NewReader(""), out, &stderr)
	return status, stderr.String()
}

// now is the time of an operation on a backend.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// readStats reads what copy --json prints.
func readStats(t *testing.T, output []byte) (n checkpoint.CopyStats) {
	t.Helper()
	if err := json.Unmarshal(output, &n); err != nil {
		t.Fatalf("copy printed %q: %v", output, err)
	}
	return n
}

// hasThread reports whether the thread i, or one after it, is there.
func hasThread(t *testing.T, b driver.Backend, i int) bool {
	t.Helper()
	for _, err := range b.List(t.Context(), driver.ListRequest{Namespace: checkpoint.DefaultNamespace, After: copyThread(i - 1), Limit: 1, Now: now()}) {
		if err != nil {
			t.Fatal(err)
		}
		return true
	}
	return false
}

// countCheckpoints counts every version of every thread. Copies begin with the
// oldest version, so that there are as many as the latest one's number.
func countCheckpoints(t *testing.T, b driver.Backend) (n int64) {
	t.Helper()
	for info, err := range b.List(t.Context(), driver.ListRequest{Namespace: checkpoint.DefaultNamespace, Now: now()}) {
		if err != nil {
			t.Fatal(err)
		}
		n += info.Version
	}
	return n
}

// compareStores compares every version of every thread.
func compareStores(t *testing.T, got, want driver.Backend, threads int, native bool) {
	t.Helper()
	compared := 0
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
			if !samePayload(g, w, native) {
				t.Fatalf("version %d of %q: the payloads differ", v+1, latest.Thread)
			}
			if native {
				g.Size, w.Size = 0, 0
			}
			if !reflect.DeepEqual(g.Info, w.Info) {
				t.Fatalf("the copy has %+v, want %+v", g.Info, w.Info)
			}
		}
		compared++
	}
	there := 0
	for info, err := range got.List(t.Context(), driver.ListRequest{Namespace: checkpoint.DefaultNamespace, Now: now()}) {
		if err != nil || info.Version != copyVersions {
			t.Fatalf("the copy's %q is at version %d, %v; want %d", info.Thread, info.Version, err, copyVersions)
		}
		there++
	}
	if compared != threads || there != threads {
		t.Errorf("%d threads and %d in the copy, want %d", compared, there, threads)
	}
}

// samePayload compares payloads byte for byte, or, where one of the stores holds
// JSON natively and writes it anew, the values.
func samePayload(a, b driver.Checkpoint, native bool) bool {
	if a.Encoding != "json" || !native {
		return bytes.Equal(a.Payload, b.Payload)
	}
	changes, err := jsondiff.Compare(a.Payload, b.Payload)
	return err == nil && len(changes) == 0
}

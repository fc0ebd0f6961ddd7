//go:build unix

package sqlite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// TestKill kills writing processes with SIGKILL, 50 times, at moments it draws,
// one or several at a time. Whatever they were told is saved has to be there,
// and every thread whole.
func TestKill(t *testing.T) {
	t.Parallel()
	const kills = 50
	file := filepath.Join(t.TempDir(), "agents.db")
	acknowledged := map[string]int64{}
	for killed := 0; killed < kills; {
		var writers []*child
		for i := range 1 + killed%3 {
			writers = append(writers, start(t, "writer", nil, file, strconv.Itoa(i)))
		}
		for _, w := range writers {
			note(t, acknowledged, w.line(t)) // at work
		}
		time.Sleep(rand.N(20 * time.Millisecond))
		for _, w := range writers {
			if err := w.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			killed++
		}
		for _, w := range writers {
			for w.out.Scan() {
				note(t, acknowledged, w.out.Text())
			}
			_ = w.cmd.Wait()
			if w.wrong.Len() > 0 {
				t.Fatalf("a writer failed:\n%s", &w.wrong)
			}
		}
		checkAfterKill(t, file, acknowledged)
	}
}

// note takes down a line of a writer: a thread and the version it has saved.
func note(t testing.TB, acknowledged map[string]int64, line string) {
	t.Helper()
	thread, number, _ := strings.Cut(line, " ")
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		t.Fatalf("a writer says %q", line)
	}
	acknowledged[thread] = max(acknowledged[thread], version)
}

// written is the state of version Version of a thread that a writer saves.
type written struct {
	Version int64  `json:"version"`
	Padding string `json:"padding"`
}

func checkAfterKill(t testing.TB, file string, acknowledged map[string]int64) {
	t.Helper()
	b := open(t, file)
	defer b.Close()
	missing := maps.Clone(acknowledged)
	delete(missing, "deleted")
	for info, err := range b.List(t.Context(), driver.ListRequest{Namespace: "agents", Now: now}) {
		if err != nil {
			t.Fatal(err)
		}
		if want := missing[info.Thread]; info.Version < want {
			t.Errorf("thread %s is at version %d, and version %d was acknowledged", info.Thread, info.Version, want)
		}
		delete(missing, info.Thread)
		next := info.Version
		for old, err := range b.History(t.Context(), driver.HistoryRequest{Key: info.Key, Now: now}) {
			if err != nil {
				t.Fatal(err)
			}
			c, err := b.Load(t.Context(), driver.LoadRequest{Key: info.Key, Version: old.Version, Now: now})
			if err != nil {
				t.Fatalf("thread %s version %d: %v", info.Thread, old.Version, err)
			}
			var state written
			if err := json.Unmarshal(c.Payload, &state); err != nil || state.Version != old.Version || old.Version != next {
				t.Errorf("thread %s: version %d holds %d, want %d (error %v)", info.Thread, old.Version, state.Version, next, err)
			}
			next--
		}
		if kept := info.Version - next; kept != min(info.Version, 5) {
			t.Errorf("thread %s: %d versions of %d are kept, want 5", info.Thread, kept, info.Version)
		}
	}
	for thread, version := range missing {
		t.Errorf("thread %s is absent, and version %d was acknowledged", thread, version)
	}
	checkIntegrity(t, file)
}

// writerChild saves, in four threads of its own at a time, and says so each
// time. One thread, which all writers share, is deleted now and then.
func writerChild(args []string) {
	b := childOpen(args[0])
	ctx := context.Background()
	var printing sync.Mutex
	write := func(thread string, random *rand.Rand) {
		info, _, err := latest(ctx, b, thread)
		must(err)
		state, err := json.Marshal(written{info.Version + 1, strings.Repeat("x", random.IntN(20_000))})
		must(err)
		req := request(thread, string(state))
		req.Keep, req.Match = 5, driver.Match{Absent: info.Version == 0, ID: info.ID}
		saved, err := b.Save(ctx, req)
		if errors.Is(err, driver.ErrConflict) {
			return // only in the thread that is shared
		}
		must(err)
		printing.Lock()
		defer printing.Unlock()
		say("%s %d", thread, saved.Version)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), uint64(time.Now().UnixNano())))
			for {
				write(fmt.Sprintf("thread-%s-%d", args[1], i), random)
				write("deleted", random)
				if random.IntN(8) == 0 {
					must(b.Delete(ctx, driver.DeleteRequest{Key: key("deleted")}))
				}
			}
		})
	}
	wg.Wait()
}

// TestRacingProcesses has four processes save the same ids, and then race for
// each version of a thread by its id.
func TestRacingProcesses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db") // which they create together
	var racers []*child
	for i := range racerCount {
		racers = append(racers, start(t, "racer", nil, file, strconv.Itoa(i)))
	}
	for _, r := range racers {
		if got := r.line(t); got != "ready" {
			t.Fatalf("a racer says %q", got)
		}
	}
	for _, r := range racers {
		fmt.Fprintln(r.in) // go
	}
	said := map[string]int{} // by how many racers
	for _, r := range racers {
		for _, line := range r.rest(t) {
			said[line]++
		}
	}
	for i := range racerRounds {
		if line := fmt.Sprintf("same %d is version %d", i, i+1); said[line] != racerCount {
			t.Errorf("%d of %d racers say %q", said[line], racerCount, line)
		}
		if line := fmt.Sprintf("won version %d", i+1); said[line] != 1 {
			t.Errorf("%d racers say %q, want 1", said[line], line)
		}
	}
	if got, want := len(said), 2*racerRounds; got != want {
		t.Errorf("racers say %d different things, want %d", got, want)
	}
	checkIntegrity(t, file)
}

const (
	racerCount  = 4
	racerRounds = 40
)

func racerChild(args []string) {
	b := childOpen(args[0])
	ctx := context.Background()
	must(b.Ping(ctx))
	say("ready")
	_, _ = fmt.Scanln()
	for i := range racerRounds {
		for { // in order, so that the versions are known
			info, _, err := latest(ctx, b, "same")
			must(err)
			if info.Version >= int64(i) {
				break
			}
		}
		req := request("same", "{}")
		req.ID, req.Keep = fmt.Sprint("id-", i), driver.KeepAll
		info, err := b.Save(ctx, req)
		must(err)
		say("same %d is version %d", i, info.Version)
	}
	for {
		info, _, err := latest(ctx, b, "won")
		must(err)
		if info.Version >= racerRounds {
			break
		}
		req := request("won", args[1])
		req.Match = driver.Match{Absent: info.Version == 0, ID: info.ID}
		won, err := b.Save(ctx, req)
		var conflict *driver.ConflictError
		if errors.As(err, &conflict) {
			if conflict.Current.ID == info.ID {
				panic("a conflict with the id that was asked for")
			}
			continue
		}
		must(err)
		say("won version %d", won.Version)
	}
	must(b.Close())
}

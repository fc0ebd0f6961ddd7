package checkpointtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

// Benchmark measures a backend with states of agents of 2 KB, 100 KB and 1 MB,
// by one caller and by eight at a time:
//
//	Save       unconditional, one thread for each caller
//	SaveMatch  on condition of the id of the save before
//	Load       the latest checkpoint
//	History    the 20 versions of a thread
//	List       a page of 100 out of 150 threads
//
// The names are like Save/100KB/callers=8. What open returns is as for [Run].
func Benchmark(b *testing.B, open func(b testing.TB) driver.Backend) {
	for _, operation := range []struct {
		name  string
		setUp func(*bench) func(caller int) error
		moves bool // the payload
	}{
		{"Save", (*bench).save, true},
		{"SaveMatch", (*bench).saveMatch, true},
		{"Load", (*bench).load, true},
		{"History", (*bench).history, false},
		{"List", (*bench).list, false},
	} {
		for _, size := range []struct {
			name  string
			bytes int
		}{{"2KB", 2_000}, {"100KB", 100_000}, {"1MB", 1_000_000}} {
			for _, callers := range []int{1, 8} {
				b.Run(fmt.Sprintf("%s/%s/callers=%d", operation.name, size.name, callers), func(b *testing.B) {
					bn := newBench(b, open, size.bytes)
					run := operation.setUp(bn)
					b.ReportAllocs()
					if operation.moves {
						b.SetBytes(int64(size.bytes))
					}
					b.ResetTimer()
					bn.together(callers, run)
				})
			}
		}
	}
}

// A bench is one benchmark: a handle and a namespace with threads that are
// removed in the end.
type bench struct {
	b         *testing.B
	ctx       context.Context
	backend   driver.Backend
	namespace string
	payload   []byte
	threads   sync.Map // name to struct{}
}

func newBench(b *testing.B, open func(testing.TB) driver.Backend, size int) *bench {
	bn := &bench{
		b: b, ctx: b.Context(), backend: open(b),
		namespace: "checkpointtest-" + strings.ToLower(rand.Text()[:16]),
		payload:   agentstate.JSON(size, 1),
	}
	b.Cleanup(bn.cleanUp)
	if err := bn.backend.Ping(bn.ctx); err != nil {
		b.Fatalf("Ping: %v", err)
	}
	return bn
}

func (bn *bench) cleanUp() {
	ctx := context.WithoutCancel(bn.ctx)
	bn.threads.Range(func(name, _ any) bool {
		if err := bn.backend.Delete(ctx, driver.DeleteRequest{Key: bn.key(name.(string))}); err != nil {
			bn.b.Logf("removing what was written: %v", err)
			return false
		}
		return true
	})
	bn.backend.Close()
}

// together runs an operation b.N times, shared among callers.
func (bn *bench) together(callers int, run func(caller int) error) {
	var left atomic.Int64
	left.Store(int64(bn.b.N))
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := run(caller); err != nil {
					bn.b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func (bn *bench) key(thread string) driver.Key {
	return driver.Key{Namespace: bn.namespace, Thread: thread}
}

// write saves a checkpoint and returns its id.
func (bn *bench) write(thread string, keep int, match driver.Match) (string, error) {
	bn.threads.Store(thread, struct{}{})
	id := rand.Text()
	_, err := bn.backend.Save(bn.ctx, driver.SaveRequest{
		Key: bn.key(thread), ID: id, Payload: bn.payload, Encoding: "json",
		Now: now(), Keep: keep, Match: match,
	})
	return id, err
}

// fill writes what an operation will read.
func (bn *bench) fill(thread string, keep int) {
	if _, err := bn.write(thread, keep, driver.Match{}); err != nil {
		bn.b.Fatalf("Save: %v", err)
	}
}

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func (bn *bench) save() func(int) error {
	return func(caller int) error {
		_, err := bn.write(fmt.Sprint("caller-", caller), 1, driver.Match{})
		return err
	}
}

func (bn *bench) saveMatch() func(int) error {
	matches := make([]driver.Match, 64) // one for each caller, the zero value at first
	return func(caller int) error {
		id, err := bn.write(fmt.Sprint("caller-", caller), 1, matches[caller])
		matches[caller].ID = id
		return err
	}
}

func (bn *bench) load() func(int) error {
	bn.fill("thread", 1)
	return func(int) error {
		c, err := bn.backend.Load(bn.ctx, driver.LoadRequest{Key: bn.key("thread"), Now: now()})
		if err == nil && len(c.Payload) == 0 {
			err = fmt.Errorf("Load returned an empty payload")
		}
		return err
	}
}

func (bn *bench) history() func(int) error {
	for range 20 {
		bn.fill("thread", 20)
	}
	return func(int) error {
		return expect("History", 20, bn.backend.History(bn.ctx, driver.HistoryRequest{Key: bn.key("thread"), Now: now()}))
	}
}

func (bn *bench) list() func(int) error {
	for _, thread := range numbered("thread", 150) {
		bn.fill(thread, 1)
	}
	return func(int) error {
		return expect("List", 100, bn.backend.List(bn.ctx, driver.ListRequest{Namespace: bn.namespace, After: "thread-0010", Limit: 100, Now: now()}))
	}
}

// expect runs through what an operation yields and counts.
func expect(call string, want int, infos func(func(driver.Info, error) bool)) error {
	got := 0
	for _, err := range infos {
		if err != nil {
			return fmt.Errorf("%s: %w", call, err)
		}
		got++
	}
	if got != want {
		return fmt.Errorf("%s yielded %d, want %d", call, got, want)
	}
	return nil
}

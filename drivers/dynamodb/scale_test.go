package dynamodb

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestManyThreads lists 10,000 threads in order, page by page and at once, from
// the index and by scanning. The cost of a page does not grow with their number.
func TestManyThreads(t *testing.T) {
	credentials(t)
	const threads = 10_000
	b, proxy, direct := behind(t)
	s := inside(t, direct)
	var writes []types.WriteRequest
	for _, i := range rand.Perm(threads) {
		head := &item{Info: newInfo(request(fmt.Sprintf("thread-%05d", i), "x", 1)), payload: []byte("x"), life: "life"}
		writes = append(writes, put(head.head()))
	}
	if err := s.write(t.Context(), writes); err != nil {
		t.Fatal(err)
	}
	list := func(b driver.Backend, after string, limit int) (names []string) {
		t.Helper()
		for info, err := range b.List(t.Context(), driver.ListRequest{Namespace: "agents", Prefix: "thread-", After: after, Limit: limit, Now: testNow}) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, info.Thread)
		}
		return names
	}
	ordered := func(how string, names []string, first, n int) {
		t.Helper()
		if len(names) != n {
			t.Fatalf("%s: %d threads, want %d", how, len(names), n)
		}
		for i, name := range names {
			if want := fmt.Sprintf("thread-%05d", first+i); name != want {
				t.Fatalf("%s: thread %d is %q, want %q", how, i, name, want)
			}
		}
	}
	var names []string
	for after := ""; ; after = names[len(names)-1] {
		before := proxy.Counts()
		page := list(b, after, 100)
		// The first looks for the index.
		if n := proxy.Counts().Sub(before).RoundTrips; after != "" && len(page) > 0 && n > 8 {
			t.Errorf("the page after %q took %d round trips, want those of 2 requests", after, n)
		}
		if len(page) == 0 {
			break
		}
		names = append(names, page...)
	}
	ordered("pages", names, 0, threads)
	ordered("at once", list(direct, "", 0), 0, threads)
	scanning := openTable(t, direct.(*backend).cfg.Table, testserver.DynamoDB(t), "&index=none")
	ordered("at once by scan", list(scanning, "", 0), 0, threads)
	for _, first := range []int{0, 4321, 9999 - 100} {
		ordered("page by scan", list(scanning, fmt.Sprintf("thread-%05d", first), 100), first+1, 100)
	}
}

// TestReadersOfOverwrites: readers of a state in parts that is replaced all the
// time get each time one state, whole, and none that is older than the last.
func TestReadersOfOverwrites(t *testing.T) {
	credentials(t)
	_, _, b := behind(t)
	state := func(n int) string { return string(bytes.Repeat([]byte{byte('a' + n)}, 1<<20)) }
	for _, keep := range []int{1, 3} {
		thread := fmt.Sprint("t", keep)
		mustSave(t, b, request(thread, state(0), keep))
		done := make(chan struct{})
		var readers sync.WaitGroup
		for range 2 {
			readers.Go(func() {
				last := int64(0)
				for finished := false; !finished; {
					select {
					case <-done:
						finished = true
					default:
					}
					cp, err := loadThread(t.Context(), b, thread)
					if err != nil && !errors.Is(err, driver.ErrUnavailable) {
						t.Errorf("Load = %v, want a state", err)
						return
					}
					if err == nil && (cp.Version < last || string(cp.Payload) != state(int(cp.Version-1))) {
						t.Errorf("Load = %v after version %d, want the state of its version, and none that is older", cp.Info, last)
						return
					}
					last = max(last, cp.Version)
				}
				if last != 15 {
					t.Errorf("the last version read is %d, want 15", last)
				}
			})
		}
		for n := 1; n < 15; n++ {
			mustSave(t, b, request(thread, state(n), keep))
		}
		close(done)
		readers.Wait()
	}
}

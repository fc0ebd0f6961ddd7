package memory_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	const form = `invalid DSN: want "" for a private store or "memory:NAME" for a shared one, where NAME is 1 to 128 of A-Z a-z 0-9 . _ -`
	for _, test := range []struct{ dsn, want string }{
		{"", ""},
		{"memory:", ""},
		{"memory:agents", ""},
		{"memory:Agents.v2_test-1", ""},
		{"memory:agents?", ""},
		{"agents", form},
		{"memory:a/b", form},
		{"memory://agents", form},
		{"memory:é", form},
		{"memory:" + strings.Repeat("n", 129), form},
		{"redis://user:secret@host", form},
		{"memory:agents?table_name=t", `invalid DSN: unknown word "table_name"; this driver's words: none of its own; every driver's: compress, history, incremental, max_state_size, namespace, ttl`},
	} {
		got := ""
		_, err := new(memory.Driver).Open(test.dsn)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("Open(%q): error %q, want %q", test.dsn, got, test.want)
		}
		if err != nil && !errors.Is(err, driver.ErrInvalid) {
			t.Errorf("Open(%q): %v does not match ErrInvalid", test.dsn, err)
		}
	}
}

func TestWhoSharesAStore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var d memory.Driver
	open := func(dsn string) driver.Backend {
		t.Helper()
		b, err := d.Open(dsn)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := open("memory:one")
	save(ctx, t, first, "thread")
	for _, test := range []struct {
		name string
		b    driver.Backend
		want error
	}{
		{"the same name", open("memory:one"), nil},
		{"another name", open("memory:two"), driver.ErrNotFound},
		{"private", open(""), driver.ErrNotFound},
		{"New", memory.New(), driver.ErrNotFound},
	} {
		if _, got := test.b.Load(ctx, driver.LoadRequest{Key: key("thread"), Now: now}); !errors.Is(got, test.want) {
			t.Errorf("%s: Load: error %v, want %v", test.name, got, test.want)
		}
	}

	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := open("memory:one").Load(ctx, driver.LoadRequest{Key: key("thread"), Now: now}); err != nil {
		t.Errorf("the named store after the only handle was closed: Load: %v, want the thread", err)
	}
}

// TestManyThreads keeps the cost of a page in check by what it may allocate:
// a sort or a scan of the store would allocate with the number of threads.
func TestManyThreads(t *testing.T) {
	ctx := t.Context()
	b := memory.New()
	const threads = 100_000
	for i := range threads {
		save(ctx, t, b, fmt.Sprintf("thread-%d", i*7919%threads))
	}
	list := func() {
		n := 0
		for info, err := range b.List(ctx, driver.ListRequest{Namespace: "agents", Prefix: "thread-5", After: "thread-54", Limit: 10, Now: now}) {
			if err != nil {
				t.Fatal(err)
			}
			if want := "thread-540"; n == 0 && info.Thread != want {
				t.Fatalf("first after thread-54 is %q, want %q", info.Thread, want)
			}
			n++
		}
		if n != 10 {
			t.Fatalf("page has %d threads, want 10", n)
		}
	}
	if got := testing.AllocsPerRun(100, list); got > 50 {
		t.Errorf("listing a page of 10 among %d threads makes %v allocations, want at most 50", threads, got)
	}
}

var now = time.Now().UTC().Truncate(time.Microsecond)

func key(thread string) driver.Key { return driver.Key{Namespace: "agents", Thread: thread} }

func save(ctx context.Context, t *testing.T, b driver.Backend, thread string) {
	t.Helper()
	req := driver.SaveRequest{Key: key(thread), ID: "id-" + thread, Payload: []byte("{}"), Encoding: "json", Now: now, Keep: 1}
	if _, err := b.Save(ctx, req); err != nil {
		t.Fatalf("Save(%v): %v", req, err)
	}
}

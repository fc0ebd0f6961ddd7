package robustness

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

// An interrupted operation takes several requests, and is run again after a crash.
type interrupted struct {
	name    string
	prepare []string // threads of two versions; those called "mortal" expire
	run     func(ctx context.Context, b driver.Backend, namespace string) error
	want    []string // the threads that are there in the end, with their versions
}

var interruptions = []interrupted{
	{name: "copy", want: []string{"copied-1 [5 4 3]"},
		run: func(ctx context.Context, b driver.Backend, namespace string) error {
			_, err := checkpoint.Copy(ctx, crashStore(b, namespace, crashNow), copySource(context.WithoutCancel(ctx)), checkpoint.CopyOptions{History: true, Prefix: "copied-1"})
			return err
		}},
	{name: "rekey", prepare: []string{"a", "b"}, want: []string{"a [2 1]", "b [2 1]"},
		run: func(ctx context.Context, b driver.Backend, namespace string) error {
			s := checkpoint.New(b, checkpoint.WithNamespace(namespace), checkpoint.WithEncryption(crashKeys(1)), checkpoint.WithClock(func() time.Time { return crashNow }))
			_, err := checkpoint.Rekey(ctx, s, checkpoint.RekeyOptions{Concurrency: 1})
			return err
		}},
	{name: "prefix", prepare: []string{"in/1", "in/2", "in/3", "out"}, want: []string{"out [2 1]"},
		run: func(ctx context.Context, b driver.Backend, namespace string) error {
			_, err := crashStore(b, namespace, crashNow).DeletePrefix(ctx, "in/")
			return err
		}},
	{name: "purge", prepare: []string{"mortal 1", "mortal 2", "mortal 3", "stays"}, want: []string{"stays [2 1]"},
		run: func(ctx context.Context, b driver.Backend, namespace string) error {
			_, err := crashStore(b, namespace, crashNow.Add(time.Hour)).Purge(ctx)
			return err
		}},
}

const (
	firstPing    = "first-ping" // which makes the schema
	mostRequests = 100          // more than any of the operations takes, with its connections
)

// TestEveryCrashPoint ends a client after each single request of every operation that
// takes several: what is left is whole, and the operation can be run again to its end.
// The driver of DynamoDB has a longer test of its own, TestEveryCrash. SQLite has no
// requests: TestKilled kills its processes.
func TestEveryCrashPoint(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *deployment) {
		if d.proxy == nil || d.driver == "dynamodb" {
			t.Skip("no requests, or a test of its own")
		}
		d.everyCrash(t, firstPing, func(k int) (string, error) { return d.fresh(t), nil },
			func(ctx context.Context, b driver.Backend, _ int) error { return b.Ping(ctx) },
			func(b driver.Backend, _ int) {
				if _, err := crashStore(b, "first", crashNow).Save(t.Context(), "thread", 1); err != nil {
					t.Errorf("Save: %v", err)
				}
			})
		for _, op := range interruptions {
			namespace := func(k int) string { return fmt.Sprint(op.name, "-", k) }
			d.everyCrash(t, op.name, func(k int) (string, error) { return d.dsn, d.prepare(t, namespace(k), op.prepare) },
				func(ctx context.Context, b driver.Backend, k int) error { return op.run(ctx, b, namespace(k)) },
				func(b driver.Backend, k int) {
					if got := wholeThreads(t, crashStore(b, namespace(k), crashNow)); !slices.Equal(got, op.want) {
						t.Errorf("when it was run again there are %q, want %q", got, op.want)
					}
				})
		}
	})
}

// prepare saves two versions of each thread.
func (d *deployment) prepare(t *testing.T, namespace string, threads []string) error {
	b, err := open(d.driver, d.dsn)
	if err != nil {
		return err
	}
	defer b.Close()
	for _, thread := range threads {
		var opts []checkpoint.SaveOption
		if strings.HasPrefix(thread, "mortal") {
			opts = append(opts, checkpoint.ExpiresIn(time.Minute))
		}
		for v := range 2 {
			if _, err := crashStore(b, namespace, crashNow).Save(t.Context(), thread, v, opts...); err != nil {
				return err
			}
		}
	}
	return nil
}

// everyCrash runs an operation on a handle that is cut off after k requests, for each k
// until it needs no more, looks at what is left, runs it again, and looks at the end.
func (d *deployment) everyCrash(t *testing.T, name string, prepare func(k int) (string, error),
	run func(ctx context.Context, b driver.Backend, k int) error, end func(b driver.Backend, k int)) {
	t.Helper()
	for k := range mostRequests {
		dsn, err := prepare(k)
		if err != nil {
			t.Fatalf("%s: prepare: %v", name, err)
		}
		crashed := d.crash(t, dsn, k, name != firstPing, func(ctx context.Context, b driver.Backend) error { return run(ctx, b, k) })
		b, err := open(d.driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		namespace, listed := fmt.Sprint(name, "-", k), false
		for found, err := range b.(driver.NamespaceLister).Namespaces(t.Context()) {
			if err != nil {
				t.Fatalf("%s, after %d requests: Namespaces: %v", name, k, err)
			}
			listed = listed || found == namespace
		}
		if threads := wholeThreads(t, crashStore(b, namespace, crashNow)); len(threads) > 0 && !listed {
			t.Errorf("there are %q in the namespace %q, which is not listed", threads, namespace)
		}
		if err := run(t.Context(), b, k); err != nil {
			t.Errorf("%s, run again: %v", name, err)
		}
		end(b, k)
		b.Close()
		switch {
		case t.Failed():
			t.Fatalf("%s, cut off after %d requests", name, k)
		case !crashed && k == 0:
			t.Fatalf("%s makes no request", name)
		case !crashed:
			t.Logf("%s: cut off after 0 to %d requests", name, k-1)
			return
		}
	}
	t.Fatalf("%s makes %d requests and more", name, mostRequests)
}

// crash runs an operation on a handle, connected before or not, that is cut off after k
// requests, and reports whether there were more. The client is dead then: its context
// ends.
func (d *deployment) crash(t *testing.T, dsn string, k int, connected bool, run func(context.Context, driver.Backend) error) bool {
	t.Helper()
	b, err := open(d.driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if connected {
		if err := b.Ping(ctx); err != nil {
			t.Fatal(err)
		}
	}
	d.proxy.CutAfter(k)
	defer d.proxy.Heal()
	over := make(chan error)
	go func() { over <- run(ctx, b) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-over:
			crashed := d.proxy.Exceeded()
			if err != nil && !crashed {
				t.Fatalf("the operation was not cut off, and failed: %v", err)
			}
			return crashed
		case <-tick.C:
			if d.proxy.Exceeded() {
				cancel()
			}
		}
	}
}

// wholeThreads lists threads with their versions, each of which can be loaded.
func wholeThreads(t *testing.T, s *checkpoint.Store) (threads []string) {
	t.Helper()
	for listed, err := range s.List(t.Context(), checkpoint.ListOptions{}) {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		var versions []int64
		for info, err := range s.History(t.Context(), listed.Thread, checkpoint.HistoryOptions{}) {
			var state any
			if err == nil {
				_, err = s.LoadVersion(t.Context(), listed.Thread, info.Version, &state)
			}
			if err != nil {
				t.Errorf("%s, version %d: %v", listed.Thread, info.Version, err)
			}
			versions = append(versions, info.Version)
		}
		if len(versions) == 0 || versions[0] != listed.Version {
			t.Errorf("%s is listed at version %d, and its history is %d", listed.Thread, listed.Version, versions)
		}
		threads = append(threads, fmt.Sprint(listed.Thread, " ", versions))
	}
	return threads
}

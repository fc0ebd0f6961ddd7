package eino_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudwego/eino/compose"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/internal/test/adapterstores"
	"github.com/go-ckpt/checkpoint/lease"
)

func TestMain(m *testing.M) { adapterstores.Main(m) }

var _ compose.CheckPointStore = checkpoint.Blobs{}

// Eino's optional interface.
var _ interface {
	Delete(ctx context.Context, checkPointID string) error
} = checkpoint.Blobs{}

// compile returns a graph that stops for an approval, as another process would compile
// it. Approved counts how often the part after the approval ran.
func compile(t testing.TB, store *checkpoint.Store, approved *atomic.Int64) compose.Runnable[string, string] {
	t.Helper()
	return compileWith(t, store, func(in string) string { approved.Add(1); return strings.ToUpper(in) })
}

func compileWith(t testing.TB, store *checkpoint.Store, approve func(string) string) compose.Runnable[string, string] {
	t.Helper()
	g := compose.NewGraph[string, string]()
	add := func(name string, f func(context.Context, string) (string, error)) {
		if err := g.AddLambdaNode(name, compose.InvokableLambda(f)); err != nil {
			t.Fatal(err)
		}
	}
	add("draft", func(_ context.Context, in string) (string, error) { return "draft of " + in, nil })
	add("approve", func(_ context.Context, in string) (string, error) { return approve(in), nil })
	for _, edge := range [][2]string{{compose.START, "draft"}, {"draft", "approve"}, {"approve", compose.END}} {
		if err := g.AddEdge(edge[0], edge[1]); err != nil {
			t.Fatal(err)
		}
	}
	r, err := g.Compile(t.Context(), compose.WithCheckPointStore(store.Blobs()), compose.WithInterruptBeforeNodes([]string{"approve"}))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// interrupt runs the graph until it stops.
func interrupt(t *testing.T, r compose.Runnable[string, string], id string) {
	t.Helper()
	_, err := r.Invoke(t.Context(), "letter", compose.WithCheckPointID(id))
	if _, stopped := compose.ExtractInterruptInfo(err); !stopped {
		t.Fatalf("Invoke = %v, want an interrupt", err)
	}
}

func each(t *testing.T, test func(t *testing.T, url string)) {
	for name, newURL := range adapterstores.URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newURL(t))
		})
	}
}

// TestResume: a graph that was interrupted in one process is resumed in another, and its
// checkpoint is deleted afterwards.
func TestResume(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		var approved atomic.Int64
		first := adapterstores.Open(t, url)
		interrupt(t, compile(t, first, &approved), "order/17")
		first.Close()
		store := adapterstores.Open(t, url)
		r := compile(t, store, &approved)
		for range 2 { // a checkpoint that was not deleted resumes again
			out, err := r.Invoke(t.Context(), "ignored", compose.WithCheckPointID("order/17"))
			if err != nil || out != "DRAFT OF LETTER" {
				t.Fatalf("resumed: %q, %v", out, err)
			}
		}
		if err := store.Blobs().Delete(t.Context(), "order/17"); err != nil {
			t.Fatal(err)
		}
		interrupt(t, r, "order/17") // starts anew
		if approved.Load() != 2 {
			t.Errorf("the approval ran %d times", approved.Load())
		}
	})
}

// TestTwoResumers: of many workers that resume one run under a lease, one does.
func TestTwoResumers(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		var approved atomic.Int64
		store := adapterstores.Open(t, url)
		interrupt(t, compile(t, store, &approved), "id")
		resume := func(ctx context.Context, store *checkpoint.Store) error {
			l, err := lease.Acquire(ctx, store, "id", lease.Options{Wait: true})
			if err != nil {
				return err
			}
			defer l.Release(ctx)
			if _, err := store.Stat(ctx, "id"); errors.Is(err, checkpoint.ErrNotFound) {
				return nil // another worker has finished it
			}
			if _, err := compile(t, store, &approved).Invoke(l.Context(), "", compose.WithCheckPointID("id")); err != nil {
				return err
			}
			return store.Blobs().Delete(ctx, "id")
		}
		var all sync.WaitGroup
		for range 6 {
			worker := adapterstores.Open(t, url)
			all.Go(func() {
				if err := resume(t.Context(), worker); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if approved.Load() != 1 {
			t.Errorf("the approval ran %d times, want once", approved.Load())
		}
	})
}

// TestTake: a checkpoint that is taken resumes in the hands of one worker.
func TestTake(t *testing.T) {
	var approved atomic.Int64
	store := adapterstores.Open(t, "memory:")
	interrupt(t, compile(t, store, &approved), "id")
	blob, ok, err := store.Blobs().Take(t.Context(), "id")
	if err != nil || !ok {
		t.Fatal(err)
	}
	if _, ok, _ := store.Blobs().Take(t.Context(), "id"); ok {
		t.Error("taken twice")
	}
	own := adapterstores.Open(t, "memory:")
	if err := own.Blobs().Set(t.Context(), "id", blob); err != nil {
		t.Fatal(err)
	}
	if out, err := compile(t, own, &approved).Invoke(t.Context(), "", compose.WithCheckPointID("id")); err != nil || out != "DRAFT OF LETTER" {
		t.Errorf("resumed: %q, %v", out, err)
	}
}

// TestKilled: a graph that was interrupted in one process, and whose second process was
// killed while it resumed, is resumed by a third.
func TestKilled(t *testing.T) {
	if url, number, ok := adapterstores.Child(); ok {
		r := compileWith(t, adapterstores.Open(t, url), func(string) string {
			fmt.Println("resumed")
			time.Sleep(time.Hour)
			return ""
		})
		if number == 0 {
			interrupt(t, r, "id")
			return
		}
		r.Invoke(t.Context(), "", compose.WithCheckPointID("id"))
		return
	}
	adapterstores.EachShared(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		adapterstores.StartProcess(t, url, 0).Done(t)
		p := adapterstores.StartProcess(t, url, 1)
		p.Await(t, "resumed")
		p.Kill(t)
		var approved atomic.Int64
		out, err := compile(t, adapterstores.Open(t, url), &approved).Invoke(t.Context(), "", compose.WithCheckPointID("id"))
		if err != nil || out != "DRAFT OF LETTER" || approved.Load() != 1 {
			t.Errorf("resumed: %q, %v", out, err)
		}
	})
}

// TestLostReply: a checkpoint whose save lost its reply is an error of the run, which
// can be repeated, and is resumed once.
func TestLostReply(t *testing.T) {
	store, faults := adapterstores.OpenFaults(t, "memory:")
	var approved atomic.Int64
	r := compile(t, store, &approved)
	faults.LoseReplies(1)
	if _, err := r.Invoke(t.Context(), "letter", compose.WithCheckPointID("id")); !errors.Is(err, checkpoint.ErrUnavailable) {
		t.Fatalf("Invoke = %v", err)
	}
	if out, err := r.Invoke(t.Context(), "letter", compose.WithCheckPointID("id")); err != nil || out != "DRAFT OF LETTER" || approved.Load() != 1 {
		t.Errorf("resumed: %q, %v", out, err)
	}
}

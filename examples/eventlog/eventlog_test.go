package eventlog

import (
	"errors"
	"fmt"
	"testing"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
)

func newLog(t *testing.T) (*Log, *checkpoint.Store) {
	t.Helper()
	s, err := checkpoint.Open("memory", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return New(s, 10), s
}

// fill appends events until there are n.
func fill(t *testing.T, l *Log, from, n int) {
	t.Helper()
	for i := from; i < n; i++ {
		e := Event{ID: fmt.Sprint("e", i+1), Role: "user", Text: "two words"}
		if v, err := l.Append(t.Context(), "talk", int64(i), e); err != nil || v != int64(i+1) {
			t.Fatalf("append %d = %d, %v", i+1, v, err)
		}
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	l, _ := newLog(t)
	fill(t, l, 0, 3)
	if v, err := l.Append(t.Context(), "talk", 2, Event{ID: "e3", Text: "two words"}); v != 3 || err != nil {
		t.Errorf("the third event again = %d, %v, want 3", v, err)
	}
	if _, err := l.Append(t.Context(), "talk", 2, Event{ID: "other"}); !errors.Is(err, checkpoint.ErrConflict) {
		t.Errorf("an event of a worker that knows two = %v, want ErrConflict", err)
	}
	var got []string
	if err := l.Tail(t.Context(), "talk", 1, func(v int64, e Event) error {
		got = append(got, fmt.Sprint(v, e.ID))
		return nil
	}); err != nil || fmt.Sprint(got) != "[2e2 3e3]" {
		t.Errorf("Tail = %v, %v", got, err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	l, _ := newLog(t)
	if _, err := l.Read(ctx, "talk"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("Read of nothing = %v, want ErrNotFound", err)
	}
	for _, n := range []int{5, 12, 25} {
		c, err := l.Read(ctx, "talk")
		if err != nil && !errors.Is(err, checkpoint.ErrNotFound) {
			t.Fatal(err)
		}
		fill(t, l, c.Events, n)
		if c, err = l.Read(ctx, "talk"); err != nil || c.Events != n || c.Words != 2*n || c.Last.ID != fmt.Sprint("e", n) {
			t.Errorf("with %d events Read = %+v, %v", n, c, err)
		}
	}
	snapshot, _, err := checkpoint.Get[Conversation](ctx, l.snapshots, "talk")
	if err != nil || snapshot.Events != 25 {
		t.Errorf("the snapshot has %d events, %v, want 25", snapshot.Events, err)
	}

	// A snapshot of a former life is not used.
	if err := l.events.Delete(ctx, "talk"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(ctx, "talk", 0, Event{ID: "new", Text: "one"}); err != nil {
		t.Fatal(err)
	}
	if c, err := l.Read(ctx, "talk"); err != nil || c.Events != 1 || c.Words != 1 {
		t.Errorf("Read of a new life = %+v, %v", c, err)
	}
	if err := l.Delete(ctx, "talk"); err != nil {
		t.Error(err)
	}
}

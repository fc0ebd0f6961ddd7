package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
)

func newHandler(t *testing.T, model func(context.Context, []string) (string, error)) *Handler {
	t.Helper()
	store, err := checkpoint.Open("memory", "?history=20")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &Handler{store, model}
}

func count(_ context.Context, messages []string) (string, error) {
	return fmt.Sprint("message ", len(messages)), nil
}

func TestRepeatedEvent(t *testing.T) {
	t.Parallel()
	asked := 0
	h := newHandler(t, func(ctx context.Context, messages []string) (string, error) {
		asked++
		return count(ctx, messages)
	})
	for _, tt := range []struct {
		request string
		want    Reply
	}{
		{"r1", Reply{"message 1", 1}},
		{"r2", Reply{"message 3", 2}},
		{"r1", Reply{"message 1", 1}},
		{"r2", Reply{"message 3", 2}},
	} {
		got, err := h.Handle(t.Context(), Event{"c1", tt.request, "hello"})
		if err != nil || got != tt.want {
			t.Errorf("%s: got %+v, %v, want %+v", tt.request, got, err, tt.want)
		}
	}
	if asked != 2 {
		t.Errorf("the model was asked %d times, want 2", asked)
	}
}

// TestEventsAtOnce: events of one conversation on several instances are all in it.
func TestEventsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHandler(t, count)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := h.Handle(t.Context(), Event{"c1", fmt.Sprint("r", i), "hello"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	state, info, err := checkpoint.Get[State](t.Context(), h.Store, "c1")
	if err != nil || info.Version != 8 || len(state.Messages) != 16 {
		t.Errorf("version %d with %d messages, %v, want 8 with 16", info.Version, len(state.Messages), err)
	}
}

func TestModelFails(t *testing.T) {
	t.Parallel()
	down := errors.New("overloaded")
	h := newHandler(t, func(context.Context, []string) (string, error) { return "", down })
	if _, err := h.Handle(t.Context(), Event{"c1", "r1", "hello"}); !errors.Is(err, down) {
		t.Errorf("Handle = %v, want %v", err, down)
	}
	if _, err := h.Store.Stat(t.Context(), "c1"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("Stat = %v, want ErrNotFound: nothing was saved", err)
	}
}

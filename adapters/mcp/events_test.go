package mcp_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/go-ckpt/checkpoint"
	events "github.com/go-ckpt/checkpoint/adapters/mcp"
	"github.com/go-ckpt/checkpoint/internal/test/adapterstores"
)

func TestMain(m *testing.M) { adapterstores.Main(m) }

func after(t *testing.T, s mcp.EventStore, session, stream string, index int) ([]string, error) {
	t.Helper()
	var all []string
	for data, err := range s.After(t.Context(), session, stream, index) {
		if err != nil {
			return all, err
		}
		all = append(all, string(data))
	}
	return all, nil
}

func wantAfter(t *testing.T, s mcp.EventStore, session, stream string, index int, want ...string) {
	t.Helper()
	if got, err := after(t, s, session, stream, index); err != nil || !slices.Equal(got, want) {
		t.Errorf("after %d of %q: %q, %v, want %q", index, stream, got, err, want)
	}
}

func appendAll(t *testing.T, s mcp.EventStore, session, stream string, events ...string) {
	t.Helper()
	if err := s.Open(t.Context(), session, stream); err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if err := s.Append(t.Context(), session, stream, []byte(e)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEvents does what upstream's in-memory store is tested for, and looks from
// another handle, as another replica of a server does.
func TestEvents(t *testing.T) {
	adapterstores.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		s := events.New(adapterstores.Open(t, url), time.Hour)
		other := events.New(adapterstores.Open(t, url), time.Hour)
		appendAll(t, s, "S/1", "", "a", "", "c\x00\xff")
		appendAll(t, s, "S/1", "2", "d")
		appendAll(t, s, "S", "1/2", "e")
		appendAll(t, s, "S/1", "") // opened again: nothing is lost
		for index, want := range [][]string{{"a", "", "c\x00\xff"}, {"", "c\x00\xff"}, {"c\x00\xff"}, nil, nil} {
			wantAfter(t, other, "S/1", "", index-1, want...)
		}
		wantAfter(t, other, "S/1", "2", -1, "d")
		wantAfter(t, other, "S", "1/2", -1, "e")
		for _, unknown := range [][2]string{{"S/1", "3"}, {"S2", ""}} {
			if _, err := after(t, s, unknown[0], unknown[1], -1); !errors.Is(err, mcp.ErrEventsPurged) {
				t.Errorf("after of no stream: %v", err)
			}
			if err := s.Append(t.Context(), unknown[0], unknown[1], nil); !errors.Is(err, mcp.ErrEventsPurged) {
				t.Errorf("an append to no stream: %v", err)
			}
		}
		if err := s.SessionClosed(t.Context(), "S/1"); err != nil {
			t.Fatal(err)
		}
		for _, stream := range []string{"", "2"} {
			if got, err := after(t, other, "S/1", stream, -1); !errors.Is(err, mcp.ErrEventsPurged) || got != nil {
				t.Errorf("after of a closed session: %q, %v", got, err)
			}
		}
		wantAfter(t, other, "S", "1/2", -1, "e")
	})
}

// TestPages: more events than one page has.
func TestPages(t *testing.T) {
	s := events.New(adapterstores.Open(t, "memory:"), time.Hour)
	var all []string
	for i := range 250 {
		all = append(all, fmt.Sprint(i))
	}
	appendAll(t, s, "S", "1", all...)
	for _, index := range []int{-1, 0, 98, 99, 100, 249} {
		wantAfter(t, s, "S", "1", index, all[index+1:]...)
	}
	for data, err := range s.After(t.Context(), "S", "1", -1) {
		if string(data) != "0" || err != nil {
			t.Errorf("%q, %v", data, err)
		}
		break
	}
}

// TestKeep: of what was dropped no part is replayed.
func TestKeep(t *testing.T) {
	adapterstores.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		s := events.New(adapterstores.Open(t, newURL(t)), time.Hour, events.Keep(2))
		appendAll(t, s, "S", "1", "a", "b")
		wantAfter(t, s, "S", "1", -1, "a", "b")
		appendAll(t, s, "S", "1", "c", "d")
		wantAfter(t, s, "S", "1", 1, "c", "d")
		if got, err := after(t, s, "S", "1", -1); !errors.Is(err, mcp.ErrEventsPurged) || got != nil {
			t.Errorf("after dropped events: %q, %v", got, err)
		}
	})
	s := events.New(adapterstores.Open(t, "memory:"), 0, events.Keep(0))
	if err := s.Open(t.Context(), "S", ""); !errors.Is(err, checkpoint.ErrInvalid) {
		t.Errorf("Keep(0): %v", err)
	}
}

// TestExpiry: a stream lives for the TTL after its last event, whatever the store's
// own TTL, and is purged then.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := adapterstores.Open(t, "memory:", checkpoint.WithTTL(time.Second))
		s := events.New(store, 0)
		appendAll(t, s, "S", "1", "a")
		time.Sleep(events.DefaultTTL - time.Second)
		appendAll(t, s, "S", "1", "b")
		time.Sleep(events.DefaultTTL - time.Second)
		wantAfter(t, s, "S", "1", -1, "a", "b")
		time.Sleep(time.Second)
		if _, err := after(t, s, "S", "1", 0); !errors.Is(err, mcp.ErrEventsPurged) {
			t.Errorf("after of an expired stream: %v", err)
		}
		if err := s.Append(t.Context(), "S", "1", nil); !errors.Is(err, mcp.ErrEventsPurged) {
			t.Errorf("an append to an expired stream: %v", err)
		}
		if n, err := s.Purge(t.Context()); n != 1 || err != nil {
			t.Errorf("Purge = %d, %v", n, err)
		}
	})
}

// TestLostReply: an append whose reply was lost is one event, and the indexes after it
// are those that the server counts.
func TestLostReply(t *testing.T) {
	store, faults := adapterstores.OpenFaults(t, "memory:")
	s := events.New(store, time.Hour)
	appendAll(t, s, "S", "1")
	for _, lost := range []int{1, 0, 3} {
		faults.LoseReplies(lost)
		if err := s.Append(t.Context(), "S", "1", []byte{'0' + byte(lost)}); err != nil {
			t.Error(err)
		}
	}
	wantAfter(t, s, "S", "1", -1, "1", "0", "3")
	faults.CutAfter(0)
	if err := s.Append(t.Context(), "S", "1", nil); !errors.Is(err, checkpoint.ErrUnavailable) {
		t.Errorf("without a database: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ctx, "S", "1", nil); err == nil {
		t.Error("a cancelled append succeeded")
	}
}

// TestCut: whatever write of a session is its last, the session is read.
func TestCut(t *testing.T) {
	adapterstores.Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		done := 0
		adapterstores.Cut(t, newURL, func(store *checkpoint.Store) error {
			s, ctx := events.New(store, time.Hour), t.Context()
			done = 0
			for _, step := range []func() error{
				func() error { return s.Open(ctx, "S", "1") },
				func() error { return s.Append(ctx, "S", "1", []byte("a")) },
				func() error { return s.Append(ctx, "S", "1", []byte("b")) },
			} {
				if err := step(); err != nil {
					return err
				}
				done++
			}
			return nil
		}, func(t *testing.T, left *checkpoint.Store, _ bool) {
			s := events.New(left, time.Hour)
			if done == 0 {
				if _, err := after(t, s, "S", "1", -1); !errors.Is(err, mcp.ErrEventsPurged) {
					t.Errorf("after of no stream: %v", err)
				}
				return
			}
			wantAfter(t, s, "S", "1", -1, []string{"a", "b"}[:done-1]...)
		})
	})
}

// TestProcesses: two processes append to one stream; nothing is lost or doubled, and
// each finds its events in its order.
func TestProcesses(t *testing.T) {
	const processes, each = 2, 25
	if url, number, ok := adapterstores.Child(); ok {
		s := events.New(adapterstores.Open(t, url), time.Hour)
		for i := range each {
			if err := s.Append(t.Context(), "S", "1", fmt.Appendf(nil, "%d.%d", number, i)); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	adapterstores.EachShared(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		s := events.New(adapterstores.Open(t, url), time.Hour)
		appendAll(t, s, "S", "1")
		adapterstores.Processes(t, url, processes)
		got, err := after(t, s, "S", "1", -1)
		if err != nil || len(got) != processes*each {
			t.Fatalf("%d events, %v", len(got), err)
		}
		for number := range processes {
			next := 0
			for _, e := range got {
				if strings.HasPrefix(e, fmt.Sprint(number, ".")) {
					if e != fmt.Sprint(number, ".", next) {
						t.Errorf("%s instead of event %d", e, next)
					}
					next++
				}
			}
		}
	})
}

// TestKilled: a server that is killed while it appends leaves a stream that another one
// reads and goes on with: every event that was acknowledged, in its order, and perhaps
// the one that was under way.
func TestKilled(t *testing.T) {
	if url, _, ok := adapterstores.Child(); ok {
		s := events.New(adapterstores.Open(t, url), time.Hour)
		appendAll(t, s, "S", "1")
		for i := 0; ; i++ {
			appendAll(t, s, "S", "1", strconv.Itoa(i))
			fmt.Println(i)
		}
	}
	adapterstores.EachShared(t, func(t *testing.T, newURL func(testing.TB) string) {
		url := newURL(t)
		p := adapterstores.StartProcess(t, url, 0)
		p.Await(t, "9")
		acknowledged := 9 + len(p.Kill(t)) // the last line is cut off, or empty
		s := events.New(adapterstores.Open(t, url), time.Hour)
		appendAll(t, s, "S", "1", "after")
		got, err := after(t, s, "S", "1", -1)
		if n := len(got) - 1; err != nil || n != acknowledged && n != acknowledged+1 {
			t.Fatalf("%d events, %v; %d were acknowledged", n, err, acknowledged)
		}
		for i, e := range got {
			if want := strconv.Itoa(i); e != want && (e != "after" || i != len(got)-1) {
				t.Errorf("event %d is %q", i, e)
			}
		}
	})
}

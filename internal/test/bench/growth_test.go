package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

// growth saves a conversation that grows by 2 KB a step and keeps 50 versions,
// beside the bare client that writes the same states over each other.
func growth(t *testing.T, s *subject) section {
	t.Helper()
	const history = 50
	ctx := t.Context()
	var saved, written int64
	var ours, floor, slowest time.Duration
	conversation := []byte("[") // of pieces of 2 KB each, none of which changes later
	for i := range *steps {
		if i > 0 {
			conversation = append(conversation, ',')
		}
		conversation = append(conversation, agentstate.JSON(2<<10, uint64(i))...)
		state := append(slices.Clone(conversation), ']')
		saved += int64(len(state))
		save := func(ctx context.Context, _, _ int) error {
			_, err := saver{s.backend, same(state), history, rand.Text}.save(ctx, "conversation", driver.Match{})
			return err
		}
		bare := func(ctx context.Context, _, _ int) error { return s.bare.Save(ctx, "conversation", state) }
		before, err := s.written(ctx)
		require(t, err)
		took := timed(t, save, i)
		after, err := s.written(ctx)
		require(t, err)
		written += after - before
		ours += took
		slowest = max(slowest, took)
		if len(state) <= s.sizes[len(s.sizes)-1] || s.name != "DynamoDB" {
			floor += timed(t, bare, i)
		} else {
			floor += timed(t, parted(s, state), i)
		}
	}
	kept, n := int64(0), 0
	for info, err := range s.backend.History(ctx, driver.HistoryRequest{Key: key("conversation"), Now: time.Now()}) {
		require(t, err)
		kept += int64(info.Size)
		n++
	}
	if want := min(history, *steps); n != want {
		t.Errorf("%d versions are kept, want %d", n, want)
	}
	stored, err := s.stored(ctx)
	require(t, err)
	mb := func(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }
	out := section{
		title: s.name + ", a growing conversation",
		about: fmt.Sprintf("A conversation of %d steps of 2 KB more each, history %d. The bare client overwrites one state and keeps no history, "+
			"so its time is what moving the states costs; the rest is the driver's, most of it for keeping the older ones.", *steps, history),
		text:  fmt.Sprintf("Written: %s. Stored: %s.", s.writtenIs, s.storedIs),
		table: "| | |\n|---|---:|\n",
	}
	row := func(name, value string) { out.table += "| " + name + " | " + value + " |\n" }
	row("states saved", mb(saved))
	row("written", fmt.Sprintf("%s, %.2f of what was saved", mb(written), float64(written)/float64(saved)))
	row("states kept", fmt.Sprintf("%s in %d versions", mb(kept), n))
	if stored > 0 {
		row("stored", fmt.Sprintf("%s, %.2f of what is kept", mb(stored), float64(stored)/float64(kept)))
	}
	row("time of all saves", fmt.Sprintf("%v, slowest %s", ours.Round(time.Millisecond), short(slowest)))
	row("of it moving the states (bare client)", fmt.Sprintf("%v, %.0f %%", floor.Round(time.Millisecond), 100*float64(floor)/float64(ours)))
	t.Logf("%s\n%s", s.name, out.table)
	return out
}

// parted saves a state through the bare client in as many items as it needs.
func parted(s *subject, state []byte) operation {
	return func(ctx context.Context, _, _ int) error {
		for i := 0; len(state) > 0; i++ {
			n := min(len(state), 390_000)
			if err := s.bare.Save(ctx, fmt.Sprint("conversation/", i), state[:n]); err != nil {
				return err
			}
			state = state[n:]
		}
		return nil
	}
}

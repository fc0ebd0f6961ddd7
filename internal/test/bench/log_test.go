package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/cli/bareclient"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

const eventSize = 1 << 10

// logging measures a thread that is a log, with one event a version, beside what the
// database itself offers for a log.
func logging(t *testing.T, s *subject) section {
	t.Helper()
	ctx := t.Context()
	bare, err := s.bare.(bareclient.LogKeeper).Log(ctx, "log-"+rand.Text())
	require(t, err)
	reader, ok := s.backend.(driver.VersionReader)
	if !ok {
		t.Fatal("the driver has no VersionReader")
	}
	var events [8][]byte
	for i := range events {
		events[i] = agentstate.JSON(eventSize, uint64(i))
	}
	ours, floor := int64(0), int64(0) // events of each
	appendOurs := func(ctx context.Context, _, _ int) error {
		_, err := saver{s.backend, same(events[ours%8]), driver.KeepAll, rand.Text}.save(ctx, "log", after(ours))
		ours++
		return err
	}
	appendFloor := func(ctx context.Context, _, _ int) error {
		floor++
		return bare.Append(ctx, floor, events[(floor-1)%8])
	}
	readOurs := func(ctx context.Context, _, _ int) error {
		n := int64(0)
		for cp, err := range reader.Versions(ctx, driver.VersionsRequest{Key: key("log"), Now: time.Now().UTC().Truncate(time.Microsecond)}) {
			if err != nil {
				return err
			}
			if n++; cp.Version != n || len(cp.Payload) < eventSize/2 {
				return fmt.Errorf("event %d is version %d with %d bytes", n, cp.Version, len(cp.Payload))
			}
		}
		if n != ours {
			return fmt.Errorf("%d events, want %d", n, ours)
		}
		return nil
	}
	readFloor := func(ctx context.Context, _, _ int) error {
		n, _, err := bare.Read(ctx)
		if err == nil && int64(n) != floor {
			err = fmt.Errorf("%d bare events, want %d", n, floor)
		}
		return err
	}
	for range *versions {
		require(t, appendOurs(ctx, 0, 0))
		require(t, appendFloor(ctx, 0, 0))
	}
	write, read := bare.Does()
	out := section{
		title: s.name + ", an event log",
		about: fmt.Sprintf("A thread as an event log: events of 1 KB, one a version, history=all, appended on the condition of the version, to a log of %d. "+
			"The floor is what the database itself offers for a log.", *versions),
		text: fmt.Sprintf("The floor of an append is one bare %s, that of reading all events one bare %s of the same bytes.", write, read),
	}
	out.results = append(out.results, compare(t, "append an event", eventSize, 1, *length, appendOurs, appendFloor))
	for floor < ours { // as long as the other, for the reading
		require(t, appendFloor(ctx, 0, 0))
	}
	for ours < floor {
		require(t, appendOurs(ctx, 0, 0))
	}
	out.results = append(out.results, compare(t, "read all events", eventSize, 1, *length, readOurs, readFloor))
	for i := range out.results {
		out.results[i].Target = logGoals[s.name][i]
	}
	return out
}

// after is the condition that a thread has so many versions.
func after(n int64) driver.Match {
	if n == 0 {
		return driver.Match{Absent: true}
	}
	return driver.Match{Version: n}
}

// logGoals are the ratios that an append, and reading everything, may have.
var logGoals = map[string][2]float64{
	"Redis":      {1.6, 2},
	"PostgreSQL": {1.4, 2},
	"SQLite":     {1.4, 2},
	"DynamoDB":   {1.3, 1.5},
}

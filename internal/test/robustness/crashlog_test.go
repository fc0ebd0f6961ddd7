package robustness

import (
	"fmt"
	"strings"

	"github.com/go-ckpt/checkpoint"
)

// crashLog is the store of the log that children append to.
func crashLog(s *checkpoint.Store) *checkpoint.Store {
	return s.Namespace("log", checkpoint.WithHistory(checkpoint.KeepAll))
}

func eventID(n int64) string { return fmt.Sprint("event-", n) }

// event is the n-th event; one in forty is too large for an item of DynamoDB.
func event(n int64) state {
	if n%40 == 0 {
		return state{N: int(n), Pad: strings.Repeat("x", 500_000)}
	}
	return state{N: int(n)}
}

// checkLog reads the log: it has every event once, in order, and the last one
// can be appended again without a change.
func (c *crashSite) checkLog(lines []string) {
	for _, line := range lines {
		var n int64
		if _, err := fmt.Sscanf(line, "appending %d", &n); err == nil {
			c.appending = max(c.appending, n)
		}
		if _, err := fmt.Sscanf(line, "appended %d", &n); err == nil {
			c.appended = max(c.appended, n)
		}
	}
	log, n := crashLog(c.store), int64(0)
	for v, err := range log.Versions(c.t.Context(), "events", checkpoint.VersionsOptions{}) {
		if err != nil {
			c.t.Errorf("Versions after the kill: %v after %d events", err, n)
			return
		}
		n++
		var got state
		if err := v.Decode(&got); err != nil || v.Version != n || v.ID != eventID(n) || got != event(n) {
			c.t.Errorf("event %d of the log has version %d, id %s and state %d, %v", n, v.Version, v.ID, got.N, err)
		}
	}
	if n < c.appended || n > c.appending {
		c.t.Errorf("the log has %d events after the kill, want %d to %d", n, c.appended, c.appending)
	}
	if n == 0 {
		return
	}
	c.appended = n
	info, err := log.Save(c.t.Context(), "events", event(n), checkpoint.WithID(eventID(n)), checkpoint.IfVersion(n-1))
	if err != nil || info.Version != n {
		c.t.Errorf("event %d, appended again, has version %d, %v", n, info.Version, err)
	}
}

// besidePrefix are threads around the prefix that children delete.
var besidePrefix = []string{"gone", "gone.", "gone0"}

func (c *crashSite) keepBesidePrefix() {
	for _, thread := range besidePrefix {
		if _, err := c.store.Namespace("prefix").Save(c.t.Context(), thread, state{}); err != nil {
			c.t.Fatal(err)
		}
	}
}

// checkKept looks for the threads beside the prefix that children delete.
func (c *crashSite) checkKept() {
	for _, thread := range besidePrefix {
		if _, err := c.store.Namespace("prefix").Stat(c.t.Context(), thread); err != nil {
			c.t.Errorf("Stat(%s) after deletions of another prefix: %v", thread, err)
		}
	}
}

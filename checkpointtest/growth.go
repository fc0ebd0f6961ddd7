package checkpointtest

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
)

// The cases about loops whose body makes the database grow. A database that yields
// inside a read transaction waits for itself when a write needs more room than its
// file has, so they come before the cases that make room.
func growthCases() []testCase {
	return []testCase{
		{name: "Raw/History/BodyGrows", alone: true, heavy: true, run: historyBodyGrows,
			rule: 7, text: "The body of a loop over History may save more than the database had room for: no transaction is open while it yields."},
		{name: "Raw/List/BodyGrows", alone: true, heavy: true, run: listBodyGrows,
			rule: 7, text: "The body of a loop over List may save more than the database had room for: no transaction is open while it yields."},
		{name: "Raw/Versions/BodyGrows", alone: true, needs: "VersionReader", heavy: true, run: versionsBodyGrows,
			rule: 7, text: "The body of a loop over Versions may save more than the database had room for: no transaction is open while it yields."},
	}
}

// saveLarge saves more each time.
func (t *trial) saveLarge(b driver.Backend, n int) {
	req := t.request(fmt.Sprint("large ", n))
	req.Encoding, req.Payload = "bytes", randomBytes((1+n)<<20)
	t.save(b, req)
}

// bodyGrows runs a loop over three of something, whose body makes the database grow.
func bodyGrows[T any](t *trial, b driver.Backend, method string, loop iter.Seq2[T, error]) {
	n := 0
	for _, err := range loop {
		if err != nil {
			t.Fatalf("%s yielded error %v after %d rounds", method, err, n)
		}
		t.saveLarge(b, n)
		n++
	}
	if n != 3 {
		t.Errorf("the loop over %s ran %d times, want 3", method, n)
	}
}

func historyBodyGrows(t *trial) {
	b := t.open()
	t.grow(b, "thread", 3, 3)
	bodyGrows(t, b, "History", b.History(t.ctx, driver.HistoryRequest{Key: t.key("thread"), Now: t.now}))
}

func listBodyGrows(t *trial) {
	b := t.open()
	t.populate(b, numbered("a", 3)...)
	bodyGrows(t, b, "List", b.List(t.ctx, driver.ListRequest{Namespace: t.namespace, Prefix: "a", Now: t.now}))
}

func versionsBodyGrows(t *trial) {
	b := t.open()
	t.log(b, "thread", 3, 3)
	bodyGrows(t, b, "Versions", b.Versions(t.ctx, driver.VersionsRequest{Key: t.key("thread"), Now: t.now}))
}

// payloadOwned keeps what it loads while the database writes over what it has freed.
// A payload that is the database's own memory then changes, or cannot be written.
func payloadOwned(t *trial) {
	b := t.open()
	metadata := map[string]string{"long": strings.Repeat("m", 4_000)}
	var held []driver.Checkpoint
	for _, size := range []int{30, 3_000, 100_000, 1 << 20} {
		req := t.request(fmt.Sprint("of ", size))
		req.Encoding, req.Payload, req.Metadata = "bytes", randomBytes(size), maps.Clone(metadata)
		t.save(b, req)
		held = append(held, t.load(b, req.Thread))
		if has[driver.VersionReader](b.inner) {
			held = append(held, t.read(b, driver.VersionsRequest{Key: req.Key})...)
		}
		for _, info := range append(t.historyOf(b, req.Thread), t.listed(b, driver.ListRequest{Prefix: req.Thread})...) {
			held = append(held, driver.Checkpoint{Info: info, Payload: randomBytes(size)})
		}
	}
	for _, c := range held { // exchanged, and removed
		req := t.request(c.Thread)
		req.Encoding, req.Payload = "bytes", bytes.Repeat([]byte("y"), c.Size)
		t.save(b, req)
		t.load(b, c.Thread)
		t.remove(b, c.Thread)
	}
	for i, c := range held {
		if d := diffBytes(c.Payload, randomBytes(c.Size)); d != "" {
			t.Errorf("a payload that Load or Versions returned changed when the thread was saved and removed: %s", d)
		}
		if !maps.Equal(c.Metadata, metadata) {
			t.Errorf("metadata that was returned changed when the thread was saved and removed, or when the caller changed another Info's: %s", difference(c.Metadata, metadata))
		}
		clear(held[i].Payload) // which is the caller's
		if c.Metadata != nil {
			c.Metadata["long"] = "changed"
		}
	}
}

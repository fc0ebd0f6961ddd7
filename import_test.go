package checkpoint_test

import (
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// given yields checkpoints and then err, if there is one.
func given(err error, checkpoints ...driver.Checkpoint) iter.Seq2[driver.Checkpoint, error] {
	return func(yield func(driver.Checkpoint, error) bool) {
		for _, cp := range checkpoints {
			if !yield(cp, nil) {
				return
			}
		}
		if err != nil {
			yield(driver.Checkpoint{}, err)
		}
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	saved := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour)
	version := func(ns, thread string, v int64, id string, expires time.Time) driver.Checkpoint {
		return driver.Checkpoint{Info: driver.Info{Key: driver.Key{Namespace: ns, Thread: thread}, ID: id, Version: v, Encoding: "json",
			CreatedAt: saved, SavedAt: saved, ExpiresAt: expires}, Payload: []byte(`{"v":1}`)}
	}
	over := saved.Add(time.Minute)
	broken := errors.New("the file was cut off")

	store := checkpoint.New(memory.New(), checkpoint.WithHistory(checkpoint.KeepAll))
	defer store.Close()
	if _, err := store.Save(t.Context(), "own", 1); err != nil {
		t.Fatal(err)
	}
	all := []driver.Checkpoint{
		version("a", "thread", 1, "A1", over), version("a", "thread", 2, "A2", time.Time{}), // the first was recorded with an expiry that is over
		version("b", "thread", 3, "B3", time.Time{}),                                                   // in another namespace, and trimmed
		version("b", "gone", 1, "G1", over),                                                            // has expired
		version("agents", "own", 1, "O1", time.Time{}), version("agents", "own", 2, "O2", time.Time{}), // another thread of that name
	}
	stats, err := checkpoint.Import(t.Context(), store, given(broken, all...))
	want := checkpoint.ImportStats{CopyStats: checkpoint.CopyStats{Threads: 2, Checkpoints: 3, Skipped: 1, Bytes: 21}, Expired: 1}
	if stats != want || err != broken {
		t.Errorf("Import = %+v, %v; want %+v and the sequence's own error", stats, err, want)
	}
	for _, c := range all[:3] {
		var state map[string]int
		if info, err := store.Namespace(c.Namespace).LoadVersion(t.Context(), c.Thread, c.Version, &state); err != nil || info.ID != c.ID || state["v"] != 1 {
			t.Errorf("LoadVersion(%q, %d) = %+v, %v; want the one that was imported", c.Thread, c.Version, info, err)
		}
	}
	if info, err := store.Stat(t.Context(), "own"); err != nil || info.Version != 1 || info.ID == "O1" {
		t.Errorf("Stat of the thread that was there = %+v, %v; want it untouched", info, err)
	}
	stats, err = checkpoint.Import(t.Context(), store, given(nil, all...))
	if want := (checkpoint.ImportStats{CopyStats: checkpoint.CopyStats{Skipped: 3}, Expired: 1}); stats != want || err != nil {
		t.Errorf("a second Import = %+v, %v; want %+v", stats, err, want)
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	store := checkpoint.New(memory.New())
	defer store.Close()
	good := driver.Checkpoint{Info: driver.Info{Key: driver.Key{Namespace: "a", Thread: "t"}, ID: "A", Version: 1, Encoding: "json"}, Payload: []byte("1")}
	for name, spoil := range map[string]func(*driver.Checkpoint){
		"namespace": func(c *driver.Checkpoint) { c.Namespace = "a/b" },
		"thread":    func(c *driver.Checkpoint) { c.Thread = "" },
		"version":   func(c *driver.Checkpoint) { c.Version = 0 },
		"id":        func(c *driver.Checkpoint) { c.ID = "" },
		"encoding":  func(c *driver.Checkpoint) { c.Encoding = "" },
	} {
		cp := good
		spoil(&cp)
		if stats, err := checkpoint.Import(t.Context(), store, given(nil, cp)); err == nil || stats != (checkpoint.ImportStats{}) {
			t.Errorf("Import with a bad %s = %+v, %v; want an error", name, stats, err)
		}
	}
	store.Close()
	if _, err := checkpoint.Import(t.Context(), store, given(nil, good)); !errors.Is(err, checkpoint.ErrClosed) {
		t.Errorf("Import into a closed store: %v, want ErrClosed", err)
	}
}

package robustness

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// purgedBetween is a backend whose expired threads another process purges before
// certain imports, counted from 1.
type purgedBetween struct {
	driver.Backend
	purge   func() int64
	before  []int
	imports int
	purged  int64
}

func (b *purgedBetween) Import(ctx context.Context, req driver.ImportRequest) error {
	if b.imports++; slices.Contains(b.before, b.imports) {
		b.purged += b.purge()
	}
	return b.Backend.(driver.Importer).Import(ctx, req)
}

// TestCopyBesidePurge: a Purge between two versions of a thread, the first of
// which has expired, takes nothing from the copy.
func TestCopyBesidePurge(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d *deployment) {
		ctx := t.Context()
		now := time.Now().Add(-100 * time.Hour)
		src := checkpoint.New(memory.New(), checkpoint.WithClock(func() time.Time { return now }), checkpoint.WithHistory(keep))
		for version, lifetime := range []time.Duration{time.Hour, time.Hour / 2, 1000 * time.Hour} {
			if _, err := src.Save(ctx, "thread", version+1, checkpoint.ExpiresIn(lifetime)); err != nil {
				t.Fatal(err)
			}
			now = now.Add(20 * time.Minute)
		}
		other := checkpoint.New(d.handle(t), checkpoint.WithHistory(keep))
		b := &purgedBetween{Backend: d.handle(t), before: []int{2, 5}, purge: func() int64 {
			n, err := other.Purge(ctx)
			if err != nil {
				t.Error(err)
			}
			return n
		}}
		stats, err := checkpoint.Copy(ctx, checkpoint.New(b, checkpoint.WithHistory(keep)), src, checkpoint.CopyOptions{History: true})
		if want := (checkpoint.CopyStats{Threads: 1, Checkpoints: 3, Bytes: 3}); err != nil || stats != want || b.purged != 2 {
			t.Errorf("Copy = %+v, %v beside %d purges of the thread, want %+v beside 2", stats, err, b.purged, want)
		}
		for version := range int64(3) {
			var got int64
			if _, err := other.LoadVersion(ctx, "thread", version+1, &got); err != nil || got != version+1 {
				t.Errorf("version %d of the copy = %d, %v", version+1, got, err)
			}
		}
	})
}

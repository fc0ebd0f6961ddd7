package cli

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
)

// A countedState is large enough to be patched.
type countedState struct {
	N    int
	Text string
}

// TestCompactBesideWriter compacts a thread again and again while somebody else counts
// in it: no count is lost, and every version is a count of its own or the one before
// it, saved whole, with the metadata and expiry that it had.
func TestCompactBesideWriter(t *testing.T) {
	t.Parallel()
	ctx, name := t.Context(), "memory:"+rand.Text()
	open := func(opts ...checkpoint.Option) *checkpoint.Store {
		s, err := checkpoint.OpenURL(name, append(opts, checkpoint.WithHistory(checkpoint.KeepAll))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	const counts = 60
	writer, compacter := open(checkpoint.WithIncremental()), open()
	count := func() error {
		_, err := checkpoint.Update(ctx, writer, "thread", func(c *countedState) error {
			c.N, c.Text = c.N+1, strings.Repeat("the same as before; ", 500)
			return nil
		}, checkpoint.ExpiresIn(time.Hour), checkpoint.Metadata(map[string]string{"k": "v"}))
		return err
	}
	if err := count(); err != nil {
		t.Fatal(err)
	}
	counted := make(chan error, counts) // the writer waits for nobody
	go func() {
		defer close(counted)
		for range counts - 1 {
			counted <- count()
		}
	}()
	compacted := 0
	for err := range counted {
		if err != nil {
			t.Fatal(err)
		}
		before, err := compacter.Stat(ctx, "thread")
		if err != nil {
			t.Fatal(err)
		}
		after, err := compactThread(ctx, compacter, before)
		if err != nil {
			t.Fatal(err)
		}
		if after.Base != 0 || after.Version < before.Version || after.Metadata["k"] != "v" || after.ExpiresAt.IsZero() {
			t.Fatalf("compacting %+v returned %+v, want a whole version with its metadata and an expiry", before, after)
		}
		compacted++
	}
	got, info, err := checkpoint.Get[countedState](ctx, compacter, "thread")
	if err != nil || got.N != counts || info.Base != 0 {
		t.Errorf("after %d counts: %d, base %d, %v", counts, got.N, info.Base, err)
	}
	last := 0
	for v, err := range compacter.Versions(ctx, "thread", checkpoint.VersionsOptions{}) {
		var c countedState
		if err == nil {
			err = v.Decode(&c)
		}
		if err != nil || c.N != last+1 && (c.N != last || v.Base != 0) {
			t.Fatalf("version %d has count %d after %d, base %d, %v", v.Version, c.N, last, v.Base, err)
		}
		last = c.N
	}
	t.Logf("%d versions, compacted %d times", info.Version, compacted)
}

package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/cli/bareclient"
)

// A subject is a driver on a real server, and the bare client on the same one:
// the fewest calls that move the same bytes with the same durability.
type subject struct {
	name     string
	versions string // of the server and the client
	backend  driver.Backend
	narrow   driver.Backend // with one connection that all callers share; nil where nothing is shared
	bare     bareclient.Client
	groups   bool // saves of several callers share a transaction
	sizes    []int
	note     string // what explains the figures

	// page lists the hundred threads after a name with the bare client; nil where a page
	// has no floor.
	page func(ctx context.Context, after string) error

	// What the driver has written so far, and what its data takes now; the texts
	// say how that was found.
	written, stored     func(ctx context.Context) (int64, error)
	writtenIs, storedIs string

	// settle does what the database does by itself within a minute of a fill;
	// nil where that is nothing.
	settle func(ctx context.Context) error
}

const namespace = "bench"

func key(thread string) driver.Key { return driver.Key{Namespace: namespace, Thread: thread} }

// saver saves through the driver as package checkpoint does.
type saver struct {
	b     driver.Backend
	state func() []byte
	keep  int
	ids   func() string
}

// same is the state of a saver that saves one only.
func same(state []byte) func() []byte { return func() []byte { return state } }

func (s saver) save(ctx context.Context, thread string, match driver.Match) (driver.Info, error) {
	return s.b.Save(ctx, driver.SaveRequest{
		Key: key(thread), ID: s.ids(), Payload: s.state(), Encoding: "json",
		Now: time.Now().UTC().Truncate(time.Microsecond), Keep: s.keep, Match: match,
	})
}

func load(ctx context.Context, b driver.Backend, thread string) (driver.Checkpoint, error) {
	return b.Load(ctx, driver.LoadRequest{Key: key(thread), Now: time.Now().UTC().Truncate(time.Microsecond)})
}

// page100 lists the hundred threads after a name.
func page100(ctx context.Context, b driver.Backend, after string) error {
	n := 0
	for _, err := range b.List(ctx, driver.ListRequest{Namespace: namespace, After: after, Limit: 100, Now: time.Now().UTC().Truncate(time.Microsecond)}) {
		if err != nil {
			return err
		}
		n++
	}
	if n != 100 {
		return fmt.Errorf("a page of %d threads", n)
	}
	return nil
}

// thread names the thread that a caller works on: one of a hundred of its own.
func thread(what string, size, caller, i int) string {
	return fmt.Sprintf("%s/%d/%d/%02d", what, size, caller, i%100)
}

func require(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

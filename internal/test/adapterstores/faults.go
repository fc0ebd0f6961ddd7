package adapterstores

import (
	"context"
	"iter"
	"sync"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

// Faults is a backend whose saves lose their replies, or which is cut off from its
// database, on demand. Cut off after a write, it leaves in the database what a process
// leaves that is killed there.
type Faults struct {
	driver.Backend

	mu   sync.Mutex
	lose int
	left int // writes until it is cut off; negative is never
}

// OpenFaults opens a store on such a backend. It is closed at the end of the test.
func OpenFaults(t testing.TB, url string, opts ...checkpoint.Option) (*checkpoint.Store, *Faults) {
	t.Helper()
	f := &Faults{left: -1}
	err := Open(t, url).Raw(func(b driver.Backend) error { f.Backend = b; return nil })
	if err != nil {
		t.Fatal(err)
	}
	u, err := checkpoint.OpenURL(url)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	return checkpoint.New(f, append([]checkpoint.Option{checkpoint.WithNamespace(u.InNamespace())}, opts...)...), f
}

// LoseReplies makes the next n saves that succeed report ErrUnavailable.
func (f *Faults) LoseReplies(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lose = n
}

// CutAfter lets n more writes through, and nothing after them.
func (f *Faults) CutAfter(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = n
}

// pass decides whether an operation reaches the database.
func (f *Faults) pass(write bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left == 0 {
		return driver.ErrUnavailable
	}
	if write && f.left > 0 {
		f.left--
	}
	return nil
}

func (f *Faults) lost() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lose == 0 {
		return false
	}
	f.lose--
	return true
}

// Save implements driver.Backend.
func (f *Faults) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	unknown := driver.Info{Key: req.Key, ID: req.ID}
	if err := f.pass(true); err != nil {
		return unknown, err
	}
	info, err := f.Backend.Save(ctx, req)
	if err == nil && f.lost() {
		return unknown, driver.ErrUnavailable
	}
	return info, err
}

// Delete implements driver.Backend.
func (f *Faults) Delete(ctx context.Context, req driver.DeleteRequest) error {
	if err := f.pass(true); err != nil {
		return err
	}
	return f.Backend.Delete(ctx, req)
}

// Load implements driver.Backend.
func (f *Faults) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	if err := f.pass(false); err != nil {
		return driver.Checkpoint{}, err
	}
	return f.Backend.Load(ctx, req)
}

// List implements driver.Backend.
func (f *Faults) List(ctx context.Context, req driver.ListRequest) iter.Seq2[driver.Info, error] {
	if err := f.pass(false); err != nil {
		return func(yield func(driver.Info, error) bool) { yield(driver.Info{}, err) }
	}
	return f.Backend.List(ctx, req)
}

// History implements driver.Backend.
func (f *Faults) History(ctx context.Context, req driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	if err := f.pass(false); err != nil {
		return func(yield func(driver.Info, error) bool) { yield(driver.Info{}, err) }
	}
	return f.Backend.History(ctx, req)
}

// Cut runs a write on an empty store once for each write to the database that it
// makes, and cuts it off after none, one, two of them. Each time check gets a new
// handle on what was left, and whether the write has returned without an error.
func Cut(t *testing.T, newURL func(testing.TB) string, write func(*checkpoint.Store) error, check func(t *testing.T, left *checkpoint.Store, succeeded bool)) {
	t.Helper()
	const most = 50
	for n := range most {
		url := newURL(t)
		store, faults := OpenFaults(t, url)
		faults.CutAfter(n)
		err := write(store)
		check(t, Open(t, url), err == nil)
		if err == nil {
			return
		}
	}
	t.Errorf("not done after %d writes", most)
}

package checkpoint_test

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// A fake is a memory backend with faults: what a test sets is called first, and
// its error ends the operation. It has none of the optional interfaces.
type fake struct {
	driver.Backend
	pings  atomic.Int64
	onPing func() error
	onSave func(driver.SaveRequest) error
	onLoad func(*driver.Checkpoint) error // with what was loaded
}

func newFake() *fake { return &fake{Backend: memory.New()} }

func (f *fake) Ping(ctx context.Context) error {
	f.pings.Add(1)
	if f.onPing != nil {
		if err := f.onPing(); err != nil {
			return err
		}
	}
	return f.Backend.Ping(ctx)
}

func (f *fake) Save(ctx context.Context, req driver.SaveRequest) (driver.Info, error) {
	if f.onSave != nil {
		if err := f.onSave(req); err != nil {
			return driver.Info{Key: req.Key, ID: req.ID}, err
		}
	}
	return f.Backend.Save(ctx, req)
}

func (f *fake) Load(ctx context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	cp, err := f.Backend.Load(ctx, req)
	if err == nil && f.onLoad != nil {
		err = f.onLoad(&cp)
	}
	return cp, err
}

// noop is a backend that does nothing, for counting what the store itself costs.
type noop struct{ payload []byte }

func (noop) Ping(context.Context) error { return nil }
func (noop) Close() error               { return nil }
func (noop) Save(_ context.Context, req driver.SaveRequest) (driver.Info, error) {
	return driver.Info{Key: req.Key, ID: req.ID, Version: 1}, nil
}
func (n noop) Load(_ context.Context, req driver.LoadRequest) (driver.Checkpoint, error) {
	return driver.Checkpoint{Info: driver.Info{Key: req.Key, Version: 1, Encoding: "bytes"}, Payload: n.payload}, nil
}
func (noop) Delete(context.Context, driver.DeleteRequest) error { return nil }
func (noop) List(context.Context, driver.ListRequest) iter.Seq2[driver.Info, error] {
	return func(func(driver.Info, error) bool) {}
}
func (noop) History(context.Context, driver.HistoryRequest) iter.Seq2[driver.Info, error] {
	return func(func(driver.Info, error) bool) {}
}

// newStore returns a store on a private memory backend.
func newStore(t testing.TB, opts ...checkpoint.Option) *checkpoint.Store {
	t.Helper()
	s, err := checkpoint.Open("memory", "", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A testClock is a clock that moves when it is told to.
type testClock struct{ micros atomic.Int64 }

func newClock() *testClock {
	c := new(testClock)
	c.micros.Store(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro())
	return c
}

func (c *testClock) Now() time.Time          { return time.UnixMicro(c.micros.Load()) }
func (c *testClock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

// collect returns what an iterator yields and its error.
func collect(infos iter.Seq2[checkpoint.Info, error]) ([]checkpoint.Info, error) {
	var all []checkpoint.Info
	for info, err := range infos {
		if err != nil {
			return all, err
		}
		all = append(all, info)
	}
	return all, nil
}

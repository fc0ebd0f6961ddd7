package bench

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
)

// noop is a backend that does nothing: what is left is the handle.
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

// handle measures what package checkpoint adds to a backend, with payloads that
// need no encoding.
func handle(t *testing.T) section {
	t.Helper()
	state := checkpoint.Bytes(make([]byte, 2<<10))
	s := checkpoint.New(noop{payload: state})
	const batch = 1000 // calls that are timed together: one is too short for the clock
	many := func(op func(ctx context.Context) error) operation {
		return func(ctx context.Context, _, _ int) error {
			for range batch {
				if err := op(ctx); err != nil {
					return err
				}
			}
			return nil
		}
	}
	all := []result{
		compare(t, "save", len(state), 1, *length, many(func(ctx context.Context) error {
			_, err := s.Save(ctx, "thread", state)
			return err
		}), nil),
		compare(t, "load", len(state), 1, *length, many(func(ctx context.Context) error {
			var target checkpoint.Bytes
			_, err := s.Load(ctx, "thread", &target)
			return err
		}), nil),
	}
	text := "Package checkpoint over a backend that does nothing, beside the codec."
	for i := range all {
		all[i].Ours /= batch
		text += fmt.Sprintf(" %s within 3 µs: %s.", all[i].Name, verdict(all[i].Ours <= 3*time.Microsecond))
	}
	return section{title: "The handle", text: text, results: all}
}

package payloadtest

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/internal/jsonscan"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

// none is a backend that saves nothing, so that what a save takes is the store's.
type none struct{ driver.Backend }

func (none) Save(_ context.Context, req driver.SaveRequest) (driver.Info, error) {
	return driver.Info{Key: req.Key, ID: req.ID, Version: 1}, nil
}

func marshal(t testing.TB, state any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(state); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}

// ready is a codec that costs nothing.
type ready []byte

func (ready) Name() string                       { return "ready" }
func (c ready) Marshal(any) ([]byte, error)      { return c, nil }
func (ready) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// TestSaveAllocations: beside its codec a save allocates at most three times.
func TestSaveAllocations(t *testing.T) {
	s := checkpoint.New(none{memory.New()}, checkpoint.WithCodec(ready(agentstate.JSON(100<<10, 1))))
	got := testing.AllocsPerRun(100, func() {
		if _, err := s.Save(t.Context(), "thread", nil); err != nil {
			t.Fatal(err)
		}
	})
	if t.Logf("%v allocations", got); got > 3 {
		t.Errorf("a save allocates %v times beside its codec, want at most 3", got)
	}
}

// BenchmarkLook shows in one run what encoding costs, what the look for bad text and
// depth adds, and what a whole save takes that goes nowhere:
//
//	go test ./internal/test/payloadtest -run xxx -bench Look
func BenchmarkLook(b *testing.B) {
	for _, state := range []struct {
		name  string
		value any
	}{
		{"100KB", agentstate.New(100<<10, 1)},
		{"1MB", agentstate.New(1<<20, 1)},
		{"recording", agentstate.Recording(1)},
	} {
		data := marshal(b, state.value)
		s := checkpoint.New(none{memory.New()})
		for _, part := range []struct {
			name string
			run  func()
		}{
			{"Marshal", func() { json.Marshal(state.value) }},
			{"text", func() { jsonscan.Text(data) }},
			{"depth", func() { jsonscan.Deeper(data, 1000) }},
			{"Save", func() {
				if _, err := s.Save(b.Context(), "thread", state.value); err != nil {
					b.Fatal(err)
				}
			}},
		} {
			b.Run(state.name+"/"+part.name, func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					part.run()
				}
			})
		}
	}
}

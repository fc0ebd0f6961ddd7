package payloadtest

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
	"github.com/go-ckpt/checkpoint/zstd"
)

var update = flag.Bool("update", false, "write the golden payloads anew, for a new form only")

const goldenFile = "testdata/payloads.json"

// A golden is a payload as a store has written it.
type golden struct {
	Namespace, Thread, ID, Encoding string
	Payload                         []byte
}

// form says how a golden payload is made, and read.
type form struct {
	state any
	opts  []checkpoint.Option
}

func forms(t testing.TB) map[string]form {
	compress, seal := checkpoint.WithCompression(zstd.Compressor), checkpoint.WithEncryption(newKeyring(t))
	text := strings.Repeat("an agent said this before; ", 20)
	state := map[string]any{"text": text, "n": 1.5, "list": []any{"é", nil, true}}
	type options = []checkpoint.Option
	return map[string]form{
		"json":            {state, nil},
		"bytes":           {checkpoint.Bytes("\x00\xff" + text), nil},
		"json+zstd":       {state, options{compress}},
		"bytes+zstd":      {checkpoint.Bytes("\x00\xff" + text), options{compress}},
		"json+aead":       {state, options{seal}},
		"bytes+aead":      {checkpoint.Bytes("\x00\xff" + text), options{seal}},
		"json+zstd+aead":  {state, options{compress, seal}},
		"bytes+zstd+aead": {checkpoint.Bytes("\x00\xff" + text), options{compress, seal}},
	}
}

// stored is a backend that holds one checkpoint.
type stored struct {
	driver.Backend
	cp driver.Checkpoint
}

func (s *stored) Load(context.Context, driver.LoadRequest) (driver.Checkpoint, error) {
	cp := s.cp
	cp.Payload = append([]byte{}, cp.Payload...)
	return cp, nil
}

func (s *stored) store(opts ...checkpoint.Option) *checkpoint.Store {
	return checkpoint.New(s, append(opts, checkpoint.WithNamespace(s.cp.Namespace))...)
}

// save returns the checkpoint that a store makes of a state.
func save(t testing.TB, f form) driver.Checkpoint {
	t.Helper()
	b := memory.New()
	s := checkpoint.New(b, f.opts...)
	info, err := s.Save(t.Context(), "golden/thread", f.state)
	if err != nil {
		t.Fatal(err)
	}
	cp, err := b.Load(t.Context(), driver.LoadRequest{Key: info.Key, Now: info.SavedAt})
	if err != nil {
		t.Fatal(err)
	}
	return cp
}

// read loads a form and returns it as JSON.
func read(t testing.TB, s *stored, opts []checkpoint.Option) (string, error) {
	t.Helper()
	var state any
	if _, err := s.store(opts...).Load(t.Context(), s.cp.Thread, &state); err != nil {
		return "", err
	}
	text, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

// TestGolden: what a store wrote once every later version reads.
func TestGolden(t *testing.T) {
	if *update {
		var all []golden
		for _, f := range forms(t) {
			cp := save(t, f)
			all = append(all, golden{cp.Namespace, cp.Thread, cp.ID, cp.Encoding, cp.Payload})
		}
		text, err := json.MarshalIndent(all, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(goldenFile, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var all []golden
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	known := forms(t)
	for _, g := range all {
		f, ok := known[g.Encoding]
		if !ok {
			t.Errorf("the form %s is not known any more", g.Encoding)
			continue
		}
		delete(known, g.Encoding)
		want, err := json.Marshal(f.state)
		if err != nil {
			t.Fatal(err)
		}
		got, err := read(t, &stored{memory.New(), driver.Checkpoint{
			Info:    driver.Info{Key: driver.Key{Namespace: g.Namespace, Thread: g.Thread}, ID: g.ID, Version: 1, Encoding: g.Encoding, Size: len(g.Payload)},
			Payload: g.Payload,
		}}, f.opts)
		if err != nil || got != string(want) {
			t.Errorf("%s: read %.80s, %v, want %.80s", g.Encoding, got, err, want)
		}
	}
	for encoding := range known {
		t.Errorf("there is no golden payload of the form %s", encoding)
	}
}

// TestBitFlips: no flipped bit of a payload that carries a checksum or a tag goes
// unnoticed, and none makes the reader fail in another way.
func TestBitFlips(t *testing.T) {
	t.Parallel()
	for encoding, f := range forms(t) {
		if !strings.Contains(encoding, "+") {
			continue // nothing in plain text tells that a letter was another one
		}
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			cp := save(t, f)
			want, err := read(t, &stored{memory.New(), cp}, f.opts)
			if err != nil {
				t.Fatal(err)
			}
			for bit := range len(cp.Payload) * 8 {
				cp.Payload[bit/8] ^= 1 << (bit % 8)
				got, err := read(t, &stored{memory.New(), cp}, f.opts)
				sealed := strings.HasSuffix(encoding, "+aead")
				switch {
				case err == nil && (sealed || got != want):
					t.Errorf("with bit %d flipped it is read as %.60s", bit, got)
				case err != nil && !errors.Is(err, checkpoint.ErrCorrupt) && !errors.Is(err, checkpoint.ErrTooLarge), sealed && !errors.Is(err, checkpoint.ErrCorrupt):
					t.Errorf("with bit %d flipped: %v, want ErrCorrupt", bit, err)
				}
				cp.Payload[bit/8] ^= 1 << (bit % 8)
			}
		})
	}
}

// TestBomb: a payload that decompresses to more than the store takes is refused.
func TestBomb(t *testing.T) {
	t.Parallel()
	compress := checkpoint.WithCompression(zstd.Compressor)
	cp := save(t, form{checkpoint.Bytes(make([]byte, 16<<20)), []checkpoint.Option{compress}})
	if len(cp.Payload) > 10_000 {
		t.Fatalf("the bomb has %d bytes", len(cp.Payload))
	}
	if _, err := read(t, &stored{memory.New(), cp}, []checkpoint.Option{compress, checkpoint.WithMaxStateSize(1 << 20)}); !errors.Is(err, checkpoint.ErrTooLarge) {
		t.Errorf("Load = %v, want ErrTooLarge", err)
	}
}

// BenchmarkForms reports what compression and encryption cost beside plain JSON,
// over a backend that only keeps the payload. What else the machine does hardly
// changes the time of the processor, cpu-ns/op:
//
//	go test ./internal/test/payloadtest -run xxx -bench Forms
func BenchmarkForms(b *testing.B) {
	compress, seal := checkpoint.WithCompression(zstd.Compressor), checkpoint.WithEncryption(newKeyring(b))
	for _, size := range []struct {
		name  string
		bytes int
	}{{"2KB", 2 << 10}, {"100KB", 100 << 10}, {"1MB", 1 << 20}} {
		state := json.RawMessage(agentstate.JSON(size.bytes, 1))
		for _, f := range []struct {
			name string
			opts []checkpoint.Option
		}{{"off", nil}, {"zstd", []checkpoint.Option{compress}}, {"zstd+aead", []checkpoint.Option{compress, seal}}} {
			cp := save(b, form{state, f.opts})
			b.Run(size.name+"/"+f.name+"/save", func(b *testing.B) {
				s := checkpoint.New(memory.New(), f.opts...)
				began := processorTime(b)
				for b.Loop() {
					if _, err := s.Save(b.Context(), "thread", state); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op")
				b.ReportMetric(float64(len(cp.Payload)), "stored-bytes")
			})
			b.Run(size.name+"/"+f.name+"/load", func(b *testing.B) {
				s := (&stored{memory.New(), cp}).store(f.opts...)
				began := processorTime(b)
				for b.Loop() {
					var got json.RawMessage
					if _, err := s.Load(b.Context(), cp.Thread, &got); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

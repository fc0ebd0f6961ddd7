package zstd_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	kzstd "github.com/klauspost/compress/zstd"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/zstd"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	random := make([]byte, 1<<20)
	rand.Read(random)
	for name, src := range map[string][]byte{
		"one byte":   {'x'},
		"text":       []byte(strings.Repeat("an agent said this before. ", 1000)),
		"random":     random,
		"zeros 16MB": make([]byte, 16<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			packed := zstd.Compressor.Compress([]byte("head"), src)
			got, err := zstd.Compressor.Decompress([]byte("dst"), packed[len("head"):], len(src))
			if err != nil || !bytes.Equal(got, append([]byte("dst"), src...)) {
				t.Fatalf("Decompress = %d bytes, %v, want the %d bytes appended", len(got), err, len(src))
			}
			if _, err := zstd.Compressor.Decompress(nil, packed[len("head"):], len(src)-1); !errors.Is(err, checkpoint.ErrTooLarge) {
				t.Errorf("Decompress to one byte less = %v, want ErrTooLarge", err)
			}
		})
	}
}

// TestBomb: a frame that yields a gigabyte is refused by what it states, and one
// that states nothing, or less than it yields, is refused without its size
// having been allocated.
func TestBomb(t *testing.T) {
	const limit = 1 << 20
	var unstated bytes.Buffer
	w, err := kzstd.NewWriter(&unstated)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 256 {
		w.Write(zeros)
	}
	w.Close()
	twoFrames := zstd.Compressor.Compress(zstd.Compressor.Compress(nil, zeros), zeros)
	for name, src := range map[string][]byte{
		"stated":   zstd.Compressor.Compress(nil, make([]byte, 64<<20)),
		"unstated": unstated.Bytes(),
		"hidden":   twoFrames,
		"empty":    {},
		"no frame": []byte("{}"),
	} {
		t.Run(name, func(t *testing.T) {
			zstd.Compressor.Decompress(nil, zstd.Compressor.Compress(nil, []byte("warm")), 10)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, err := zstd.Compressor.Decompress(nil, src, limit)
			runtime.ReadMemStats(&after)
			allocated := after.TotalAlloc - before.TotalAlloc
			if err == nil || len(got) != 0 {
				t.Errorf("Decompress = %d bytes, %v, want an error", len(got), err)
			}
			if allocated > 4*limit {
				t.Errorf("Decompress allocated %d bytes, want at most %d", allocated, 4*limit)
			}
		})
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			src := bytes.Repeat([]byte{byte(i)}, 10_000+i)
			for range 50 {
				got, err := zstd.Compressor.Decompress(nil, zstd.Compressor.Compress(nil, src), len(src))
				if err != nil || !bytes.Equal(got, src) {
					t.Errorf("round trip of payload %d = %d bytes, %v", i, len(got), err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzDecompress(f *testing.F) {
	f.Add([]byte{})
	f.Add(zstd.Compressor.Compress(nil, []byte(`{"todos":["plan"]}`)))
	f.Fuzz(func(t *testing.T, src []byte) {
		got, err := zstd.Compressor.Decompress(nil, src, 1<<20)
		if err == nil && len(got) > 1<<20 {
			t.Errorf("Decompress = %d bytes, want at most %d", len(got), 1<<20)
		}
	})
}

package fastjson

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/zstd"
)

// TestSuite runs the suite's cases about stores with the codec, with and without what
// else happens to a payload on its way.
func TestSuite(t *testing.T) {
	ring, err := checkpoint.NewKeyring(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	sealed := []checkpoint.Option{checkpoint.WithCompression(zstd.Compressor), checkpoint.WithEncryption(ring)}
	for name, opts := range map[string][]checkpoint.Option{
		"plain":                 nil,
		"compressed and sealed": sealed,
		"incremental":           append(sealed, checkpoint.WithIncremental()),
	} {
		t.Run(name, func(t *testing.T) {
			databases := new(memory.Driver)
			checkpointtest.Run(t, func(t testing.TB) driver.Backend {
				b, err := databases.Open("memory:suite")
				if err != nil {
					t.Fatal(err)
				}
				return b
			},
				checkpointtest.Cases(func(name string) bool { return strings.HasPrefix(name, "Store/") }),
				checkpointtest.Options(append(opts, checkpoint.WithCodec(Codec))...))
		})
	}
}

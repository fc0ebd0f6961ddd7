// Package zstd compresses checkpoints with Zstandard. Import it for its side
// effect and name it in the DSN:
//
//	import _ "github.com/go-ckpt/checkpoint/zstd"
//
//	store, err := checkpoint.Open("sqlite", "agents.db?compress=zstd")
//
// or pass [Compressor] to checkpoint.WithCompression. A program that imports the
// package reads compressed checkpoints whatever its stores' settings are.
//
// The implementation is github.com/klauspost/compress/zstd, chosen because it is
// the maintained Go implementation of the format and needs no C.
package zstd

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/go-ckpt/checkpoint"
)

// Compressor implements checkpoint.Compressor with one Zstandard frame per
// payload, which states the payload's size and carries a checksum. It is safe
// for concurrent use.
var Compressor checkpoint.Compressor = &compressor{coders: sync.OnceValue(newCoders)}

func init() { checkpoint.RegisterCompressor(Compressor) }

type compressor struct{ coders func() coders }

// coders work on as many payloads at a time as there are processors, and keep
// their buffers for the next ones. Their EncodeAll and DecodeAll run no
// goroutines.
type coders struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// maxSize is the most that a payload can be: what checkpoint.WithMaxStateSize
// allows.
const maxSize = 1 << 30

func newCoders() coders {
	n := runtime.GOMAXPROCS(0)
	// A frame of a single segment states its size, however small that is.
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(n), zstd.WithSingleSegment(true))
	if err != nil {
		panic(fmt.Sprintf("zstd: no encoder with these options: %v", err))
	}
	// A decoder that writes no further than the capacity it is given.
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(n), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(maxSize))
	if err != nil {
		panic(fmt.Sprintf("zstd: no decoder with these options: %v", err))
	}
	return coders{encoder, decoder}
}

func (*compressor) Name() string { return "zstd" }

func (c *compressor) Compress(dst, src []byte) []byte {
	return c.coders().encoder.EncodeAll(src, dst)
}

// Decompress allocates the size that the frame states, once it is known not to
// exceed max.
func (c *compressor) Decompress(dst, src []byte, max int) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil || !h.HasFCS {
		return dst, errors.New("zstd: the payload is no frame that states its size")
	}
	if h.FrameContentSize > uint64(max) {
		return dst, fmt.Errorf("zstd: %w", checkpoint.ErrTooLarge)
	}
	size := int(h.FrameContentSize)
	start := len(dst)
	out, err := c.coders().decoder.DecodeAll(src, slices.Grow(dst, size)[:start:start+size])
	if err != nil {
		return dst, errors.New("zstd: the payload is damaged")
	}
	if len(out)-start != size {
		return dst, errors.New("zstd: the payload is not of the size it states")
	}
	return out, nil
}

package checkpoint_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"

	"github.com/go-ckpt/checkpoint"
)

// flater is a compressor of the standard library.
type flater struct{ name string }

func (f flater) Name() string { return f.name }

func (flater) Compress(dst, src []byte) []byte {
	b := bytes.NewBuffer(dst)
	w, _ := flate.NewWriter(b, flate.BestSpeed)
	w.Write(src)
	w.Close()
	return b.Bytes()
}

func (flater) Decompress(dst, src []byte, max int) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(src)), int64(max)+1))
	if err != nil {
		return nil, errors.New("flate: damaged")
	}
	if len(out) > max {
		return nil, checkpoint.ErrTooLarge
	}
	return append(dst, out...), nil
}

package zstd_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/zstd"
)

// With the import alone the word compress=zstd does it as well.
func Example() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "?compress=zstd")
	defer store.Close()

	info, err := store.Save(ctx, "user-123", strings.Repeat("one word after the other ", 1000))
	fmt.Println(info.Encoding, info.Size < 100, err)
	// Output: json+zstd true <nil>
}

func ExampleCompressor() {
	ctx := context.Background()
	store, _ := checkpoint.Open("memory", "", checkpoint.WithCompression(zstd.Compressor))
	defer store.Close()

	info, err := store.Save(ctx, "user-123", "short")
	fmt.Println(info.Encoding, err) // what compression does not make smaller stays as it is
	// Output: json <nil>
}

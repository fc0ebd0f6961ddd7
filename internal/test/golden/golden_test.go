package golden_test

import (
	"testing"

	"github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/internal/test/golden"
)

func TestWriteAndCheck(t *testing.T) {
	t.Parallel()
	b := memory.New()
	if err := golden.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, b)
}

func TestWriteAndCheckChains(t *testing.T) {
	t.Parallel()
	b := memory.New()
	if err := golden.WriteChains(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	golden.CheckChains(t, b)
}

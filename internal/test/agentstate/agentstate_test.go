package agentstate_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	for _, size := range []int{agentstate.MinSize, 2_000, 2_001, 10_000, 100_000, 1_000_000} {
		for seed := range uint64(5) {
			got := agentstate.JSON(size, seed)
			if len(got) != size || !json.Valid(got) {
				t.Errorf("JSON(%d, %d) has %d bytes, valid %v, want %d valid ones", size, seed, len(got), json.Valid(got), size)
			}
			if !bytes.Equal(got, agentstate.JSON(size, seed)) {
				t.Errorf("JSON(%d, %d) is not the same twice", size, seed)
			}
		}
	}
	if bytes.Equal(agentstate.JSON(2_000, 1), agentstate.JSON(2_000, 2)) {
		t.Error("two seeds give one state")
	}
	if got := len(agentstate.JSON(0, 1)); got != agentstate.MinSize {
		t.Errorf("JSON(0) has %d bytes, want the least, %d", got, agentstate.MinSize)
	}
}

package memory_test

import (
	"testing"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

func TestOpen(t *testing.T) {
	checkpointtest.RunDriver(t, new(memory.Driver), checkpointtest.DSNs{
		Names:   []string{"memory"},
		Valid:   []string{"", "memory:", "memory:shared", "memory:a.b_c-D9"},
		Invalid: []string{"shared", "memory://shared", "memory:a/b", "memory:a b"},
	})
}

package memory_test

import (
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/internal/test/memorypayloads"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	var d memory.Driver
	checkpointtest.Run(t, openNamed(&d), checkpointtest.RequireAll(), checkpointtest.StoredPayloads(memorypayloads.Count(&d), 0))
}

// TestConformanceIncremental runs the cases about stores again, with patches wherever
// a state is large enough.
func TestConformanceIncremental(t *testing.T) {
	t.Parallel()
	checkpointtest.Run(t, openShared(), checkpointtest.RequireAll(), checkpointtest.Options(checkpoint.WithIncremental()),
		checkpointtest.Cases(func(name string) bool { return strings.HasPrefix(name, "Store/") }))
}

func BenchmarkSuite(b *testing.B) { checkpointtest.Benchmark(b, openShared()) }

// openShared returns a function that opens handles on one store.
func openShared() func(testing.TB) driver.Backend {
	return openNamed(new(memory.Driver))
}

func openNamed(d *memory.Driver) func(testing.TB) driver.Backend {
	return func(t testing.TB) driver.Backend {
		b, err := d.Open("memory:conformance")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

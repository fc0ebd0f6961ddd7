package checkpointtest_test

import (
	"testing"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// TestMemory shows that the suite lets a correct backend pass.
func TestMemory(t *testing.T) {
	t.Parallel()
	checkpointtest.Run(t, openMemory(),
		checkpointtest.Require("Purger", "Importer", "NamespaceLister", "Rewriter"))
}

// TestTable shows that it lets one pass that is right and quite different.
func TestTable(t *testing.T) {
	t.Parallel()
	shared := new(table)
	checkpointtest.Run(t, func(testing.TB) driver.Backend { return &reader{t: shared} },
		checkpointtest.Require("Purger", "Importer", "NamespaceLister", "Rewriter", "Finder", "VersionReader", "PrefixDeleter", "Collector"))
}

// openMemory returns a function that opens handles on one store.
func openMemory() func(testing.TB) driver.Backend {
	var d memory.Driver
	return func(t testing.TB) driver.Backend {
		b, err := d.Open("memory:suite")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func BenchmarkMemory(b *testing.B) { checkpointtest.Benchmark(b, openMemory()) }

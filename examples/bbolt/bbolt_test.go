package bbolt_test

import (
	"context"
	"path/filepath"
	"testing"

	bbolt "example.com/checkpoint-bbolt"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
)

// TestConformance is the whole test of the driver against the rules.
func TestConformance(t *testing.T) {
	open := opener(t)
	stored := func(ctx context.Context, mark string) (int, error) { return bbolt.Payloads(ctx, open(t), mark) }
	checkpointtest.Run(t, open, checkpointtest.RequireAll(), checkpointtest.StoredPayloads(stored, 0))
}

// TestOpen judges what is said of Open.
func TestOpen(t *testing.T) {
	checkpointtest.RunDriver(t, new(bbolt.Driver), checkpointtest.DSNs{
		Names:   []string{"bbolt"},
		Valid:   []string{"agents.bolt", "bbolt:agents.bolt", "bbolt:/var/lib/agents.bolt?sync=true"},
		Invalid: []string{"", "bbolt:", "bbolt://agents.bolt", "agents.bolt?sync=no"},
		Words:   []string{"sync=false"},
		File:    func(folder string) string { return "bbolt:" + filepath.Join(folder, "agents.bolt") },
	})
}

// opener opens handles on one file.
func opener(t testing.TB) func(testing.TB) driver.Backend {
	var d bbolt.Driver
	path := filepath.Join(t.TempDir(), "agents.bolt")
	return func(t testing.TB) driver.Backend {
		b, err := d.Open(path + "?sync=false")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func BenchmarkSuite(b *testing.B) { checkpointtest.Benchmark(b, opener(b)) }

package proof

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// A system is a database under test.
type system struct {
	name  string
	start func(t testing.TB) *deployment
}

// A deployment is one running instance of a system, empty at first, that ends
// with the test.
type deployment struct {
	open     func() (driver.Backend, error) // a new handle on the same data
	faults   []fault
	indexLag bool // List may lag behind
}

// A fault is one way to hurt a deployment.
type fault struct {
	name  string
	lossy bool // acknowledged saves may be lost, as the driver documents
	// strike hurts, and returns when everything is mended, or soon after ctx
	// ended.
	strike func(ctx context.Context, r *rand.Rand)
}

// systems is what is tested.
var systems = []system{
	{"memory", startMemory},
}

func startMemory(testing.TB) *deployment {
	d := new(memory.Driver)
	return &deployment{open: func() (driver.Backend, error) { return d.Open("memory:shared") }}
}

// eachSystem runs a test on every system.
func eachSystem(t *testing.T, test func(t *testing.T, d *deployment)) {
	for _, s := range systems {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			test(t, s.start(t))
		})
	}
}

// handle opens a backend that is closed when the test ends.
func (d *deployment) handle(t testing.TB) driver.Backend {
	t.Helper()
	b, err := d.open()
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

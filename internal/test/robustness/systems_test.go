package robustness

import (
	"context"
	"crypto/rand"
	mathrand "math/rand/v2"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/internal/registry"
	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
)

// A system is a database under test.
type system struct {
	name    string
	start   func(t testing.TB) *deployment
	variant bool // of another system: tests that take long leave it out
}

// systems is what is tested: a line for each database.
var systems = []system{
	{name: "memory", start: startMemory},
	{name: "sqlite", start: startSQLite},
	{name: "postgres", start: startPostgres},
	{name: "pgbouncer", start: startPgBouncer, variant: true},
	{name: "redis", start: startRedis},
	{name: "dynamodb", start: startDynamoDB},
	{name: "sentinel", start: startSentinel, variant: true},
	{name: "cluster", start: startCluster, variant: true},
}

// A deployment is one running instance of a system, empty at first, that ends
// with the test.
type deployment struct {
	driver, dsn string
	faults      []fault
	indexLag    bool // List may lag behind

	// For systems behind a proxy:
	proxy  *faultproxy.Proxy
	direct string // a DSN that goes past it

	// For systems that outlive a process:
	fresh  func(t testing.TB) string                   // a DSN of an empty database beside this one
	stored func(t testing.TB) int                      // how many rows, keys or items there are
	show   func(t testing.TB) string                   // the names of these, or nil
	damage func(t testing.TB, r *mathrand.Rand) string // changes something of what is stored, and says what
	age    func(t testing.TB)                          // makes what dead writers left old enough for Purge
}

// A fault is one way to hurt a deployment.
type fault struct {
	name  string
	lossy bool // acknowledged saves may be lost, as the driver documents
	// strike hurts while a round works on a namespace, and returns when
	// everything is mended, soon if ctx ends.
	strike func(ctx context.Context, r *mathrand.Rand, namespace string)
}

func startMemory(testing.TB) *deployment {
	return &deployment{driver: "memory", dsn: "memory:" + rand.Text()}
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

// eachDatabase runs a test on every system that is no variant of another.
func eachDatabase(t *testing.T, test func(t *testing.T, d *deployment)) {
	for _, s := range systems {
		if s.variant {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			test(t, s.start(t))
		})
	}
}

// open returns a new backend on the DSN of a registered driver.
func open(driverName, dsn string) (driver.Backend, error) {
	d, err := registry.FindDriver(registry.Drivers, driverName)
	if err != nil {
		return nil, err
	}
	return d.Open(dsn)
}

// handle opens a backend that is closed when the test ends.
func (d *deployment) handle(t testing.TB) driver.Backend {
	t.Helper()
	b, err := open(d.driver, d.dsn)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func (d *deployment) handles(t testing.TB, n int) []driver.Backend {
	t.Helper()
	handles := make([]driver.Backend, n)
	for i := range handles {
		handles[i] = d.handle(t)
	}
	return handles
}

// Package testserver runs real database servers for tests: Redis alone, under
// Sentinel and as a cluster, PostgreSQL, PgBouncer and DynamoDB Local.
//
// [Redis], [RedisSentinel], [RedisCluster], [Postgres] and [DynamoDB] give
// servers that all tests of a test binary share. The Start functions give a
// test servers of its own, to configure, kill and restart:
//
//	func TestMain(m *testing.M) { testserver.Main(m) }
//
//	func TestKilled(t *testing.T) {
//		server := testserver.StartRedis(t, testserver.RedisOptions{})
//		…
//		server.Kill()
//		server.Restart()
//	}
//
// Every server listens on a free port of 127.0.0.1, keeps its data in a
// temporary folder, and does not outlive the test binary. A shared server of
// your own can be named in the environment instead: CHECKPOINT_TEST_REDIS,
// CHECKPOINT_TEST_REDIS_SENTINEL, CHECKPOINT_TEST_REDIS_CLUSTER,
// CHECKPOINT_TEST_POSTGRES (a URL; the tests create and drop databases) and
// CHECKPOINT_TEST_DYNAMODB (an endpoint).
//
// A test whose server is not installed is skipped with a text that says what to
// install. Where CI is "true" or CHECKPOINT_TEST_REQUIRE is "1" it fails
// instead, so that a green run means that everything ran.
//
// The package and its tests import the standard library only: drivers' tests
// import it, and what they import is listed in the go.sum of programs that use
// the driver.
package testserver

import (
	"errors"
	"os"
	"sync"
	"testing"
)

// install tells a person how to get what is missing.
const install = "run scripts/test.sh --install-only, or install it by hand"

// missing ends a test whose server cannot be started here.
func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" || os.Getenv("CHECKPOINT_TEST_REQUIRE") == "1" {
		t.Fatalf("NOT TESTED: %v", err)
	}
	t.Skipf("NOT TESTED: %v", err)
}

// check ends the test when a server could not be had: it is skipped if the
// server is not installed, and fails if the server did not start.
func check(t testing.TB, err error) {
	t.Helper()
	switch {
	case errors.As(err, new(*notInstalledError)):
		missing(t, err)
	case err != nil:
		t.Fatal(err)
	}
}

// shared are the servers that the tests of this binary have in common. Go
// knows no narrower place for what lives as long as a test binary.
var shared struct {
	mu      sync.Mutex
	servers map[string]*once
	stops   []func()
}

type once struct {
	sync.Once
	url string
	err error
}

// share returns the URL of a shared server, and starts it for the first test
// that asks. A start that failed is reported to every test and not tried again.
func share(t testing.TB, variable string, start func(o *owner) (string, error)) string {
	t.Helper()
	if url := os.Getenv(variable); url != "" {
		return url
	}
	server := sharedOnce(variable)
	server.Do(func() {
		o := &owner{cleanup: func(stop func()) {
			shared.mu.Lock()
			defer shared.mu.Unlock()
			shared.stops = append(shared.stops, stop)
		}}
		server.url, server.err = start(o)
	})
	check(t, server.err)
	return server.url
}

func sharedOnce(name string) *once {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.servers == nil {
		shared.servers = map[string]*once{}
	}
	if shared.servers[name] == nil {
		shared.servers[name] = new(once)
	}
	return shared.servers[name]
}

// Main runs the tests, stops the shared servers, removes the temporary folders
// and exits.
func Main(m *testing.M) {
	os.Exit(Run(m))
}

// Run is Main without the exit, for a TestMain that has more to do. It returns
// the exit status.
func Run(m interface{ Run() int }) int {
	code := m.Run()
	stopShared()
	return code
}

func stopShared() {
	shared.mu.Lock()
	stops := shared.stops
	shared.stops, shared.servers = nil, nil
	shared.mu.Unlock()
	for i := len(stops) - 1; i >= 0; i-- {
		stops[i]()
	}
	removeScratch()
}

// An owner is who a server belongs to: a test, or the whole test binary.
type owner struct {
	t       testing.TB // nil for the test binary
	cleanup func(func())
}

func ownedBy(t testing.TB) *owner { return &owner{t, t.Cleanup} }

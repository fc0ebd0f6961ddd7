// Package adapterstores opens the stores that the adapters are tested on: SQLite and
// memory always, and the servers when CHECKPOINT_TEST_ADAPTERS is "all".
package adapterstores

import (
	"crypto/rand"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/dynamodb"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
	_ "github.com/go-ckpt/checkpoint/drivers/postgres"
	_ "github.com/go-ckpt/checkpoint/drivers/redis"
	_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// Main runs the tests of a package and stops the servers that they have started. The
// package's TestMain calls it.
func Main(m *testing.M) { testserver.Main(m) }

// All reports whether this run has the servers.
func All() bool { return os.Getenv("CHECKPOINT_TEST_ADAPTERS") == "all" }

// URLs returns, by the name of a database, a function that makes the URL of an empty
// store. Stores opened by one URL share their data.
func URLs(t testing.TB) map[string]func(testing.TB) string {
	t.Helper()
	urls := map[string]func(testing.TB) string{
		"memory": func(testing.TB) string { return "memory:" + rand.Text() },
		"sqlite": func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "adapter.db") },
	}
	if !All() {
		t.Log("on memory and SQLite alone; CHECKPOINT_TEST_ADAPTERS=all adds the servers")
		return urls
	}
	urls["redis"] = func(t testing.TB) string { return withWords(t, testserver.Redis(t), nil) }
	urls["postgres"] = func(t testing.TB) string { return withWords(t, testserver.Postgres(t), nil) }
	urls["dynamodb"] = func(t testing.TB) string {
		os.Setenv("AWS_ACCESS_KEY_ID", "adapter")
		os.Setenv("AWS_SECRET_ACCESS_KEY", "adapter")
		return withWords(t, "dynamodb://adapters", url.Values{
			"create_table": {"true"}, "region": {"us-east-1"}, "endpoint": {testserver.DynamoDB(t)},
		})
	}
	return urls
}

// Each runs a test on every database of this run.
func Each(t *testing.T, test func(t *testing.T, newURL func(testing.TB) string)) {
	for name, newURL := range URLs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newURL)
		})
	}
}

// EachShared runs a test on every database of this run that several processes can use.
func EachShared(t *testing.T, test func(t *testing.T, newURL func(testing.TB) string)) {
	Each(t, func(t *testing.T, newURL func(testing.TB) string) {
		if !strings.HasSuffix(t.Name(), "/memory") {
			test(t, newURL)
		}
	})
}

// withWords gives a URL a namespace of its own, and words.
func withWords(t testing.TB, base string, words url.Values) string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("namespace", "adapter-"+rand.Text())
	for name, values := range words {
		query[name] = values
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// Open opens a store, which is closed at the end of the test.
func Open(t testing.TB, url string, opts ...checkpoint.Option) *checkpoint.Store {
	t.Helper()
	s, err := checkpoint.OpenURL(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

package costtable_test

import (
	"crypto/rand"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/dynamodb"
	_ "github.com/go-ckpt/checkpoint/drivers/postgres"
	_ "github.com/go-ckpt/checkpoint/drivers/redis"
	_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
	"github.com/go-ckpt/checkpoint/internal/test/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// server returns the URL of a store of the test's own, with one connection where
// there is a pool.
func server(t *testing.T, name string) string {
	t.Helper()
	words := url.Values{"namespace": {"costs-" + rand.Text()}}
	base := ""
	switch name {
	case "SQLite":
		base = "sqlite:" + filepath.Join(t.TempDir(), "costs.db")
	case "Redis":
		base = testserver.Redis(t)
		words.Set("pool_size", "1")
	case "PostgreSQL":
		base = testserver.Postgres(t)
		words.Set("max_connections", "1")
	case "DynamoDB":
		t.Setenv("AWS_ACCESS_KEY_ID", "costs")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "costs")
		base = "dynamodb://costs-" + rand.Text()
		words.Set("create_table", "true")
		words.Set("region", "us-east-1")
		words.Set("endpoint", testserver.DynamoDB(t))
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range u.Query() {
		words[name] = values
	}
	u.RawQuery = words.Encode()
	return u.String()
}

// behind is server behind a proxy.
func behind(t *testing.T, name string) (string, *faultproxy.Proxy) {
	t.Helper()
	u, err := url.Parse(server(t, name))
	if err != nil {
		t.Fatal(err)
	}
	if name != "DynamoDB" {
		proxy := faultproxy.New(t, u.Host)
		u.Host = proxy.Addr()
		return u.String(), proxy
	}
	words := u.Query()
	endpoint, err := url.Parse(words.Get("endpoint"))
	if err != nil {
		t.Fatal(err)
	}
	proxy := faultproxy.New(t, endpoint.Host)
	words.Set("endpoint", "http://"+proxy.Addr())
	u.RawQuery = words.Encode()
	return u.String(), proxy
}

func openStore(t *testing.T, url string, opts ...checkpoint.Option) *checkpoint.Store {
	t.Helper()
	s, err := checkpoint.OpenURL(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

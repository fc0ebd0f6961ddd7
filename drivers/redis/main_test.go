package redis

import (
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// openDSN returns a handle on a database.
func openDSN(t testing.TB, dsn string) *backend {
	t.Helper()
	b, err := Driver{}.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b.(*backend)
}

// withClient hands a plain client to New, with its own ideas about contexts.
func withClient(t testing.TB, dsn string) driver.Backend {
	return New(clientOf(t, dsn), Config{Prefix: "client:"})
}

// clientOf returns a client for the server of a DSN, as an application would
// make it.
func clientOf(t testing.TB, dsn string) redis.UniversalClient {
	t.Helper()
	cfg, err := ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: cfg.options.Addrs, MasterName: cfg.options.MasterName, IsClusterMode: cfg.topology == cluster,
		Username: cfg.options.Username, Password: cfg.options.Password, DB: cfg.options.DB, TLSConfig: cfg.options.TLSConfig,
		// It leaves goroutines behind when a client is closed.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { client.Close() })
	return client
}

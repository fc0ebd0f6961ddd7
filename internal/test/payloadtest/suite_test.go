// Package payloadtest tests compression and encryption together, on every driver, and
// keeps the forms of payloads that every later version must read.
package payloadtest

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/dynamodb"
	"github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/drivers/postgres"
	"github.com/go-ckpt/checkpoint/drivers/redis"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
	"github.com/go-ckpt/checkpoint/zstd"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// key returns a key that is told apart by its number.
func key(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

func newKeyring(t testing.TB) *checkpoint.Keyring {
	t.Helper()
	ring, err := checkpoint.NewKeyring(key(1))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// TestSuite runs the suite's cases about stores with both switched on. What is asked of
// a driver alone does not depend on them, and is tested in internal/test/conformance.
func TestSuite(t *testing.T) {
	memoryDriver := new(memory.Driver)
	for name, tt := range map[string]struct {
		driver driver.Driver
		dsn    func(t *testing.T) string
	}{
		"sentinel": {redis.Driver{}, func(t *testing.T) string { return testserver.RedisSentinel(t) }},
		"cluster":  {redis.Driver{}, func(t *testing.T) string { return testserver.RedisCluster(t) }},
		"memory":   {memoryDriver, func(*testing.T) string { return "memory:sealed" }},
		"sqlite":   {sqlite.Driver{}, func(t *testing.T) string { return filepath.Join(t.TempDir(), "sealed.db") }},
		"redis":    {redis.Driver{}, func(t *testing.T) string { return testserver.Redis(t) }},
		"postgres": {postgres.Driver{}, func(t *testing.T) string { return testserver.Postgres(t) }},
		"dynamodb": {dynamodb.Driver{}, func(t *testing.T) string {
			t.Setenv("AWS_ACCESS_KEY_ID", "test")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
			return "sealed-" + rand.Text() + "?create_table=true&region=us-east-1&endpoint=" + testserver.DynamoDB(t)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := tt.dsn(t)
			checkpointtest.Run(t, func(t testing.TB) driver.Backend {
				b, err := tt.driver.Open(dsn)
				if err != nil {
					t.Fatal(err)
				}
				return b
			},
				checkpointtest.Cases(func(name string) bool { return strings.HasPrefix(name, "Store/") }),
				checkpointtest.Options(checkpoint.WithCompression(zstd.Compressor), checkpoint.WithEncryption(newKeyring(t))))
		})
	}
}

// TestTink runs the tests of the module beside, which uses Tink's AEADs.
func TestTink(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "test", "./...")
	cmd.Dir = "tink"
	out, err := cmd.CombinedOutput()
	if err != nil && strings.Contains(string(out), "dial tcp") && os.Getenv("CI") == "" {
		t.Skipf("SKIPPED: Tink could not be downloaded:\n%s", out)
	}
	if err != nil {
		t.Errorf("go test: %v\n%s", err, out)
	}
}

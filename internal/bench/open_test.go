package bench

import (
	"context"
	"crypto/rand"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/dynamodb"
	"github.com/go-ckpt/checkpoint/drivers/postgres"
	"github.com/go-ckpt/checkpoint/drivers/redis"
	"github.com/go-ckpt/checkpoint/drivers/sqlite"
	"github.com/go-ckpt/checkpoint/internal/bareclient"
	"github.com/go-ckpt/checkpoint/internal/testserver"
)

// subjects open what is measured.
var subjects = []func(*testing.T) *subject{openSQLite, openRedis, openPostgres, openDynamoDB}

var allSizes = []int{2 << 10, 100 << 10, 1 << 20}

func openSQLite(t *testing.T) *subject {
	return open(t, &subject{
		name:     "SQLite",
		versions: "WAL, synchronous=FULL, " + module("modernc.org/sqlite"),
		sizes:    allSizes,
	}, sqlite.Driver{}, "sqlite:"+filepath.Join(t.TempDir(), "bench.db"))
}

func openRedis(t *testing.T) *subject {
	return open(t, &subject{
		name:     "Redis",
		versions: version(t, "redis-server", "--version") + ", " + module("github.com/redis/go-redis/v9"),
		sizes:    allSizes,
	}, redis.Driver{}, testserver.Redis(t))
}

func openPostgres(t *testing.T) *subject {
	return open(t, &subject{
		name:     "PostgreSQL",
		versions: version(t, "psql", "--version") + ", " + module("github.com/lib/pq"),
		sizes:    allSizes,
	}, postgres.Driver{}, testserver.Postgres(t))
}

func openDynamoDB(t *testing.T) *subject {
	t.Setenv("AWS_ACCESS_KEY_ID", "bench")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "bench")
	return open(t, &subject{
		name:     "DynamoDB",
		versions: "DynamoDB Local, whose times say little of the service's, " + module("github.com/aws/aws-sdk-go-v2/service/dynamodb"),
		sizes:    allSizes[:2], // an item holds 400 KB: a larger state has no floor of one request
	}, dynamodb.Driver{}, "dynamodb://bench-"+rand.Text()+"?create_table=true&region=us-east-1&endpoint="+testserver.DynamoDB(t))
}

// open gives a subject the driver and the bare client of a URL.
func open(t *testing.T, s *subject, d driver.Driver, url string) *subject {
	t.Helper()
	b, err := d.Open(url)
	require(t, err)
	t.Cleanup(func() { b.Close() })
	require(t, b.Ping(t.Context()))
	bare, err := bareclient.Open(t.Context(), url)
	require(t, err)
	t.Cleanup(func() { bare.Close(context.WithoutCancel(t.Context())) })
	s.backend, s.bare = b, bare
	return s
}

// version returns the first line that a program prints of its version.
func version(t *testing.T, program string, arg string) string {
	t.Helper()
	out, err := exec.Command(program, arg).Output()
	if err != nil {
		return "a server of unknown version"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// module names a module of this program with its version.
func module(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return path + " " + m.Version
			}
		}
	}
	return path
}

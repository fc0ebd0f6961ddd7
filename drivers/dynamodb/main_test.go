package dynamodb

import (
	"testing"

	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func credentials(t testing.TB) {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
}

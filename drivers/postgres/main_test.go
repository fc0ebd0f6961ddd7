package postgres

import (
	"testing"

	"github.com/go-ckpt/checkpoint/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

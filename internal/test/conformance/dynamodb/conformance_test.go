package dynamodb_test

import (
	"crypto/rand"
	"testing"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/dynamodb"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func TestConformance(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	endpoint := testserver.DynamoDB(t)
	for _, index := range []string{"", "&index=none"} {
		t.Run("index"+index, func(t *testing.T) {
			table := "t-" + rand.Text()
			checkpointtest.Run(t, func(t testing.TB) driver.Backend {
				b, err := dynamodb.Driver{}.Open("dynamodb://" + table + "?create_table=true&region=us-east-1&endpoint=" + endpoint + index)
				if err != nil {
					t.Fatal(err)
				}
				return b
			}, checkpointtest.Require("Purger", "Importer", "NamespaceLister", "Rewriter", "Finder", "VersionReader", "PrefixDeleter", "Patcher"))
		})
	}
}

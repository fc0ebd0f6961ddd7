package proof

import (
	"crypto/rand"
	"net/url"
	"strings"
	"testing"

	_ "github.com/go-ckpt/checkpoint/drivers/dynamodb"
	"github.com/go-ckpt/checkpoint/internal/faultproxy"
	"github.com/go-ckpt/checkpoint/internal/testserver"
)

// startDynamoDB is a table in the server that the tests share: it takes long to
// start. Its index does not lag behind as that of the service may.
func startDynamoDB(t testing.TB) *deployment {
	endpoint := testserver.DynamoDB(t)
	proxy := faultproxy.New(t, strings.TrimPrefix(endpoint, "http://"))
	table := "proof-" + rand.Text()
	dsn := func(table, host string) string {
		return "dynamodb://" + table + "?" + url.Values{
			"create_table": {"true"}, "region": {"us-east-1"}, "endpoint": {host},
		}.Encode()
	}
	return &deployment{
		driver: "dynamodb",
		dsn:    dsn(table, "http://"+proxy.Addr()),
		proxy:  proxy,
		direct: dsn(table, endpoint),
		faults: networkFaults(proxy),
		fresh:  func(testing.TB) string { return dsn("fresh-"+rand.Text(), "http://"+proxy.Addr()) },
		// stored is missing: Purge leaves what a dead writer has left alone until
		// its journal is old enough for no writer to be behind it.
	}
}

package dynamodb_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/dynamodb"
	"github.com/go-ckpt/checkpoint/internal/test/conformance"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func TestConformance(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	endpoint := testserver.DynamoDB(t)
	for _, c := range []struct {
		name, words string
		more        []checkpointtest.Option
	}{
		{"Index", "", nil},
		{"NoIndex", "&index=none", []checkpointtest.Option{conformance.Lists()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := "t-" + rand.Text()
			options := append(c.more, checkpointtest.Timeout(10*time.Minute), // a busy machine has taken 200 ms a request
				checkpointtest.RequireAll(), checkpointtest.Require("Collector"), checkpointtest.StoredPayloads(payloads(endpoint, table), 10))
			checkpointtest.Run(t, func(t testing.TB) driver.Backend {
				b, err := dynamodb.Driver{}.Open("dynamodb://" + table + "?create_table=true&region=us-east-1&endpoint=" + endpoint + c.words)
				if err != nil {
					t.Fatal(err)
				}
				return b
			}, options...)
		})
	}
}

// payloads counts the items of a table that have a mark in an attribute.
func payloads(endpoint, table string) func(context.Context, string) (int, error) {
	client := awsdynamodb.New(awsdynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	return func(ctx context.Context, mark string) (n int, err error) {
		pages := awsdynamodb.NewScanPaginator(client, &awsdynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return 0, err
			}
			for _, item := range page.Items {
				for _, value := range item {
					text, _ := value.(*types.AttributeValueMemberS)
					data, _ := value.(*types.AttributeValueMemberB)
					if text != nil && strings.Contains(text.Value, mark) || data != nil && bytes.Contains(data.Value, []byte(mark)) {
						n++
					}
				}
			}
		}
		return n, nil
	}
}

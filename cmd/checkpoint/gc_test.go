package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/rogpeppe/go-internal/testscript"
)

// orphans puts three parts that nothing names into the store, where that is a table of
// DynamoDB, and sets ORPHANS to how many.
func orphans(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: orphans")
	}
	store, err := url.Parse(ts.Getenv("CHECKPOINT_STORE"))
	ts.Check(err)
	ts.Setenv("ORPHANS", "0")
	if store.Scheme != "dynamodb" {
		return
	}
	client := dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(store.Query().Get("endpoint")),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	set := rand.Text()
	for n := range 3 {
		_, err := client.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: &store.Host, Item: map[string]types.AttributeValue{
			"thread_id": &types.AttributeValueMemberS{Value: fmt.Sprintf("ckpt#c#%s#%06d", set, n)},
			"data":      &types.AttributeValueMemberB{Value: []byte("part")},
		}})
		ts.Check(err)
	}
	ts.Setenv("ORPHANS", "3")
}

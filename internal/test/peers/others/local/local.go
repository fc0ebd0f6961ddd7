// Package local makes tables in DynamoDB Local, for the peers that do not.
package local

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Region is one that DynamoDB Local takes, as it takes any.
const Region = "us-east-1"

// Client returns a client of a DynamoDB Local.
func Client(endpoint string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: Region, BaseEndpoint: aws.String(endpoint),
		Credentials: credentials.NewStaticCredentialsProvider("peers", "peers", ""),
	})
}

// CreateTable makes a table whose items are found by one key, if it is not there.
func CreateTable(ctx context.Context, endpoint, table, key string) error {
	_, err := Client(endpoint).CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: aws.String(table), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String(key), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String(key), KeyType: types.KeyTypeHash}},
	})
	var there *types.ResourceInUseException
	if errors.As(err, &there) {
		return nil
	}
	return err
}

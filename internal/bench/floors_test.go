package bench

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/redis/go-redis/v9"
)

// redisFloor is SET and GET.
type redisFloor struct{ client redis.UniversalClient }

func (redisFloor) does() (string, string) { return "`SET key value`", "`GET key`" }

func (f redisFloor) save(ctx context.Context, key string, payload []byte) error {
	return f.client.Set(ctx, "floor:"+key, payload, 0).Err()
}

func (f redisFloor) load(ctx context.Context, key string) ([]byte, error) {
	return f.client.Get(ctx, "floor:"+key).Bytes()
}

// sqlFloor is a prepared upsert and a prepared select on a table of two columns.
type sqlFloor struct {
	upsert, query *sql.Stmt
	text          bool // the payload goes as a string
}

func newSQLFloor(ctx context.Context, write, read *sql.DB, create, upsert, query string, text bool) (sqlFloor, error) {
	f := sqlFloor{text: text}
	_, err := write.ExecContext(ctx, create)
	if err == nil {
		f.upsert, err = write.PrepareContext(ctx, upsert)
	}
	if err == nil {
		f.query, err = read.PrepareContext(ctx, query)
	}
	return f, err
}

func (sqlFloor) does() (string, string) {
	return "a prepared upsert into a table of two columns", "a prepared select from it"
}

func (f sqlFloor) save(ctx context.Context, key string, payload []byte) error {
	var value any = payload
	if f.text {
		value = string(payload)
	}
	_, err := f.upsert.ExecContext(ctx, key, value)
	return err
}

func (f sqlFloor) load(ctx context.Context, key string) ([]byte, error) {
	var value []byte
	err := f.query.QueryRowContext(ctx, key).Scan(&value)
	return value, err
}

// dynamoFloor is PutItem and a consistent GetItem of an item with two attributes.
type dynamoFloor struct {
	client *dynamodb.Client
	table  string
}

func (dynamoFloor) does() (string, string) { return "`PutItem`", "`GetItem`, consistent" }

func (f dynamoFloor) save(ctx context.Context, key string, payload []byte) error {
	_, err := f.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &f.table, Item: map[string]types.AttributeValue{
		"thread_id": &types.AttributeValueMemberS{Value: "floor:" + key},
		"state":     &types.AttributeValueMemberS{Value: string(payload)},
	}})
	return err
}

func (f dynamoFloor) load(ctx context.Context, key string) ([]byte, error) {
	out, err := f.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &f.table, ConsistentRead: aws.Bool(true), Key: map[string]types.AttributeValue{
		"thread_id": &types.AttributeValueMemberS{Value: "floor:" + key},
	}})
	if err != nil {
		return nil, err
	}
	state, ok := out.Item["state"].(*types.AttributeValueMemberS)
	if !ok {
		return nil, fmt.Errorf("no item %q", key)
	}
	return []byte(state.Value), nil
}

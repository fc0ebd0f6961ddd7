package clients

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/redis/go-redis/v9"

	"github.com/go-ckpt/checkpoint/internal/cli/bareclient"
)

// redisLog is XADD and XRANGE of a stream.
type redisLog struct {
	*redisClient
	key string
}

func (c *redisClient) Log(_ context.Context, name string) (bareclient.Log, error) {
	key := "log/" + name
	c.keys.Store(key, nil)
	return &redisLog{c, c.prefix + key}, nil
}

func (*redisLog) Does() (write, read string) { return "XADD", "XRANGE" }

func (l *redisLog) Append(ctx context.Context, _ int64, event []byte) error {
	return l.XAdd(ctx, &redis.XAddArgs{Stream: l.key, Values: []any{"e", event}}).Err()
}

func (l *redisLog) Read(ctx context.Context) (n int, bytes int64, err error) {
	messages, err := l.XRange(ctx, l.key, "-", "+").Result()
	for _, m := range messages {
		event, _ := m.Values["e"].(string)
		bytes += int64(len(event))
	}
	return len(messages), bytes, err
}

// sqlLog is a prepared insert into a table of events, and a prepared select.
type sqlLog struct {
	name          string
	insert, query *sql.Stmt
}

func (c *sqlClient) Log(ctx context.Context, name string) (bareclient.Log, error) {
	l := &sqlLog{name: name}
	_, err := c.write.ExecContext(ctx, c.log.create)
	if err == nil {
		l.insert, err = c.write.PrepareContext(ctx, c.log.insert)
	}
	if err == nil {
		l.query, err = c.read.PrepareContext(ctx, c.log.query)
	}
	return l, err
}

func (*sqlLog) Does() (write, read string) { return "insert", "select" }

func (l *sqlLog) Append(ctx context.Context, n int64, event []byte) error {
	_, err := l.insert.ExecContext(ctx, l.name, n, string(event))
	return err
}

func (l *sqlLog) Read(ctx context.Context) (n int, bytes int64, err error) {
	rows, err := l.query.QueryContext(ctx, l.name)
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var event []byte
		if err := rows.Scan(&event); err != nil {
			return n, bytes, err
		}
		n, bytes = n+1, bytes+int64(len(event))
	}
	return n, bytes, rows.Err()
}

// dynamoLog is PutItem and Query of a table of its own, in which a log is a partition.
type dynamoLog struct {
	*dynamoClient
	table, name string
}

func (c *dynamoClient) Log(ctx context.Context, name string) (bareclient.Log, error) {
	l := &dynamoLog{c, c.table + "-log", name}
	_, err := c.client.CreateTable(ctx, &awsdynamodb.CreateTableInput{
		TableName: &l.table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("log"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("n"), AttributeType: types.ScalarAttributeTypeN},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("log"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("n"), KeyType: types.KeyTypeRange},
		},
	})
	if err != nil && !errors.As(err, new(*types.ResourceInUseException)) {
		return nil, fmt.Errorf("making the table of the bare log: %w", err)
	}
	err = awsdynamodb.NewTableExistsWaiter(c.client).Wait(ctx, &awsdynamodb.DescribeTableInput{TableName: &l.table}, time.Minute)
	return l, err
}

func (*dynamoLog) Does() (write, read string) { return "PutItem", "Query" }

func (l *dynamoLog) Append(ctx context.Context, n int64, event []byte) error {
	_, err := l.client.PutItem(ctx, &awsdynamodb.PutItemInput{TableName: &l.table, Item: map[string]types.AttributeValue{
		"log":   &types.AttributeValueMemberS{Value: l.name},
		"n":     &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)},
		"event": &types.AttributeValueMemberS{Value: string(event)},
	}})
	return err
}

func (l *dynamoLog) Read(ctx context.Context) (n int, bytes int64, err error) {
	pages := awsdynamodb.NewQueryPaginator(l.client, &awsdynamodb.QueryInput{
		TableName: &l.table, ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("#log = :log"),
		ExpressionAttributeNames:  map[string]string{"#log": "log"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":log": &types.AttributeValueMemberS{Value: l.name}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return n, bytes, err
		}
		for _, item := range page.Items {
			event, _ := item["event"].(*types.AttributeValueMemberS)
			n, bytes = n+1, bytes+int64(len(event.Value))
		}
	}
	return n, bytes, nil
}

package clients

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/drivers/dynamodb"
	"github.com/go-ckpt/checkpoint/internal/cli/bareclient"
)

// dynamoClient is PutItem and a consistent GetItem of an item with two
// attributes, in the store's table under keys of its own.
type dynamoClient struct {
	client *awsdynamodb.Client
	table  string
	prefix string
	keys   sync.Map // what was saved
}

func openDynamoDB(ctx context.Context, url, own string) (bareclient.Client, error) {
	cfg, err := dynamodb.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	options := []func(*config.LoadOptions) error{config.WithRegion(cfg.Region)}
	if cfg.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(cfg.Profile))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, errors.New("the AWS configuration cannot be loaded")
	}
	client := awsdynamodb.NewFromConfig(loaded, func(o *awsdynamodb.Options) {
		if cfg.Endpoint != "" {
			o.BaseEndpoint = aws.String(cfg.Endpoint)
		}
	})
	return &dynamoClient{client: client, table: cfg.Table, prefix: "ckpt#" + own + "#"}, nil
}

func (*dynamoClient) Does() (save, load string) { return "PutItem", "GetItem" }

func (c *dynamoClient) Save(ctx context.Context, key string, payload []byte) error {
	c.keys.Store(key, nil)
	_, err := c.client.PutItem(ctx, &awsdynamodb.PutItemInput{TableName: &c.table, Item: map[string]types.AttributeValue{
		"thread_id": &types.AttributeValueMemberS{Value: c.prefix + key},
		"state":     &types.AttributeValueMemberS{Value: string(payload)},
	}})
	return err
}

func (c *dynamoClient) key(key string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"thread_id": &types.AttributeValueMemberS{Value: c.prefix + key}}
}

func (c *dynamoClient) Load(ctx context.Context, key string) ([]byte, error) {
	out, err := c.client.GetItem(ctx, &awsdynamodb.GetItemInput{TableName: &c.table, ConsistentRead: aws.Bool(true), Key: c.key(key)})
	if err != nil {
		return nil, err
	}
	state, ok := out.Item["state"].(*types.AttributeValueMemberS)
	if !ok {
		return nil, fmt.Errorf("no item %q", key)
	}
	return []byte(state.Value), nil
}

func (c *dynamoClient) Close(ctx context.Context) error {
	var err error
	c.keys.Range(func(key, _ any) bool {
		_, e := c.client.DeleteItem(ctx, &awsdynamodb.DeleteItemInput{TableName: &c.table, Key: c.key(key.(string))})
		err = errors.Join(err, e)
		return true
	})
	return err
}

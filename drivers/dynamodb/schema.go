package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/go-ckpt/checkpoint/driver"
)

func (op *operation) prepare(ctx context.Context) error {
	op.preparing = true
	defer func() { op.preparing = false }()
	table, err := op.describe(ctx)
	if err != nil {
		return err
	}
	if table == nil {
		if !op.cfg.CreateTable {
			return op.cfg.missing("")
		}
		if err := op.create(ctx); err != nil {
			return err
		}
	}
	if op.cfg.CreateTable {
		if table == nil || !isActive(table) {
			if table, err = op.awaitActive(ctx); err != nil {
				return err
			}
		}
		if err := op.enableTTL(ctx); err != nil {
			return err
		}
	}
	return op.check(table)
}

// describe returns the table, nil if there is none.
func (op *operation) describe(ctx context.Context) (*types.TableDescription, error) {
	var table *types.TableDescription
	err := op.do(ctx, func(ctx context.Context) error {
		out, err := op.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: op.table})
		if errors.As(err, new(*types.ResourceNotFoundException)) {
			return nil
		}
		if err == nil {
			table = out.Table
		}
		return err
	})
	return table, err
}

// check looks whether the table is one that the driver can use, and remembers
// the index to list by.
func (op *operation) check(table *types.TableDescription) error {
	bad := len(table.KeySchema) != 1 || aws.ToString(table.KeySchema[0].AttributeName) != keyAttribute || table.KeySchema[0].KeyType != types.KeyTypeHash
	for _, a := range table.AttributeDefinitions {
		if aws.ToString(a.AttributeName) == keyAttribute && a.AttributeType != types.ScalarAttributeTypeS {
			bad = true
		}
	}
	if bad {
		return fmt.Errorf("%w: the table %q has another key than the one string %s; use another table, or create one with create_table=true", driver.ErrInvalid, op.cfg.Table, keyAttribute)
	}
	index := NoIndex
	for _, i := range table.GlobalSecondaryIndexes {
		if name := aws.ToString(i.IndexName); name == op.cfg.Index || op.cfg.Index == "" && name == DefaultIndex && i.IndexStatus == types.IndexStatusActive {
			index = name
		}
	}
	if op.cfg.Index != "" && op.cfg.Index != NoIndex && index == NoIndex {
		return fmt.Errorf("%w: the table %q has no index %q", driver.ErrInvalid, op.cfg.Table, op.cfg.Index)
	}
	op.mu.Lock()
	defer op.mu.Unlock()
	op.index = index
	return nil
}

// listIndex returns the index to list by, which is looked for once.
func (op *operation) listIndex(ctx context.Context) (string, error) {
	op.mu.Lock()
	index := op.index
	op.mu.Unlock()
	if index != "" {
		return index, nil
	}
	table, err := op.describe(ctx)
	if err != nil {
		return "", err
	}
	if table == nil {
		err = op.prepare(ctx)
	} else {
		err = op.check(table)
	}
	if err != nil {
		return "", err
	}
	op.mu.Lock()
	defer op.mu.Unlock()
	return op.index, nil
}

// create makes the table, on demand, with the index. Another process may be
// making it too.
func (op *operation) create(ctx context.Context) error {
	attribute := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS}
	}
	index := DefaultIndex
	if op.cfg.Index != "" && op.cfg.Index != NoIndex {
		index = op.cfg.Index
	}
	return op.do(ctx, func(ctx context.Context) error {
		_, err := op.client.CreateTable(ctx, &dynamodb.CreateTableInput{
			TableName:            op.table,
			BillingMode:          types.BillingModePayPerRequest,
			AttributeDefinitions: []types.AttributeDefinition{attribute(keyAttribute), attribute(listAttribute), attribute(nameAttribute)},
			KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String(keyAttribute), KeyType: types.KeyTypeHash}},
			GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
				IndexName: &index,
				KeySchema: []types.KeySchemaElement{
					{AttributeName: aws.String(listAttribute), KeyType: types.KeyTypeHash},
					{AttributeName: aws.String(nameAttribute), KeyType: types.KeyTypeRange},
				},
				Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
			}},
		})
		if errors.As(err, new(*types.ResourceInUseException)) {
			return nil
		}
		return err
	})
}

// creationTime is how long a table may take to become active.
const creationTime = 2 * time.Minute

func (op *operation) awaitActive(ctx context.Context) (*types.TableDescription, error) {
	until := time.Now().Add(creationTime)
	for attempt := 0; ; attempt++ {
		table, err := op.describe(ctx)
		if err != nil {
			return nil, err
		}
		if table != nil && isActive(table) {
			return table, nil
		}
		if time.Now().After(until) {
			return nil, fmt.Errorf("%w: the table %q is not active yet; try again later", driver.ErrUnavailable, op.cfg.Table)
		}
		if err := pause(ctx, min(attempt, 4)); err != nil {
			return nil, err
		}
	}
}

func isActive(table *types.TableDescription) bool {
	for _, i := range table.GlobalSecondaryIndexes {
		if i.IndexStatus != types.IndexStatusActive {
			return false
		}
	}
	return table.TableStatus == types.TableStatusActive || table.TableStatus == types.TableStatusUpdating
}

// enableTTL lets DynamoDB remove what has expired, unless that is set already.
func (op *operation) enableTTL(ctx context.Context) error {
	set := func(ctx context.Context) (bool, error) {
		out, err := op.client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: op.table})
		if err != nil || out.TimeToLiveDescription == nil {
			return false, err
		}
		status := out.TimeToLiveDescription.TimeToLiveStatus
		return status == types.TimeToLiveStatusEnabled || status == types.TimeToLiveStatusEnabling, nil
	}
	return op.do(ctx, func(ctx context.Context) error {
		if done, err := set(ctx); err != nil || done {
			return op.withoutTTL(ctx, err)
		}
		_, err := op.client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
			TableName:               op.table,
			TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)},
		})
		if err != nil {
			if done, again := set(ctx); again == nil && done {
				return nil // another process was quicker
			}
		}
		return op.withoutTTL(ctx, err)
	})
}

// withoutTTL goes on with a warning where a server does not know time to live, or
// does not let these credentials turn it on: Purge does the same work.
func (op *operation) withoutTTL(ctx context.Context, err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		switch api.ErrorCode() {
		case "AccessDeniedException", "UnknownOperationException":
			op.log.WarnContext(ctx, "checkpoint: time to live cannot be turned on; run Purge daily, or turn it on for the attribute ttl",
				"table", op.cfg.Table, "reason", api.ErrorCode())
			return nil
		}
	}
	return err
}

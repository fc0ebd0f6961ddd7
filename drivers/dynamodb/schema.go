package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/go-ckpt/checkpoint/driver"
)

// Ping implements driver.Backend: it checks the table's key and looks for the
// index, and makes the table where it is missing and create_table asks for it.
func (b *backend) Ping(ctx context.Context) error {
	s, err := b.enter(ctx)
	if err != nil {
		return err
	}
	defer b.leave()
	return s.prepare(ctx)
}

func (s *session) prepare(ctx context.Context) error {
	s.preparing = true
	defer func() { s.preparing = false }()
	table, err := s.describe(ctx)
	if err != nil {
		return err
	}
	if table == nil {
		if !s.cfg.CreateTable {
			return fmt.Errorf("%w: the table %q does not exist in this region; create it with create_table=true or the AWS CLI, or give its region", driver.ErrUnavailable, s.cfg.Table)
		}
		if err := s.create(ctx); err != nil {
			return err
		}
	}
	if table == nil || s.cfg.CreateTable {
		if table, err = s.awaitActive(ctx); err != nil {
			return err
		}
		if err := s.enableTTL(ctx); err != nil {
			return err
		}
	}
	return s.check(table)
}

// describe returns the table, nil if there is none.
func (s *session) describe(ctx context.Context) (*types.TableDescription, error) {
	var table *types.TableDescription
	err := s.do(ctx, func(ctx context.Context) error {
		out, err := s.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: s.table})
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
func (s *session) check(table *types.TableDescription) error {
	bad := len(table.KeySchema) != 1 || aws.ToString(table.KeySchema[0].AttributeName) != keyAttribute || table.KeySchema[0].KeyType != types.KeyTypeHash
	for _, a := range table.AttributeDefinitions {
		if aws.ToString(a.AttributeName) == keyAttribute && a.AttributeType != types.ScalarAttributeTypeS {
			bad = true
		}
	}
	if bad {
		return fmt.Errorf("%w: the table %q has another key than the one string %s; use another table, or create one with create_table=true", driver.ErrInvalid, s.cfg.Table, keyAttribute)
	}
	index := NoIndex
	for _, i := range table.GlobalSecondaryIndexes {
		if name := aws.ToString(i.IndexName); name == s.cfg.Index || s.cfg.Index == "" && name == DefaultIndex && i.IndexStatus == types.IndexStatusActive {
			index = name
		}
	}
	if s.cfg.Index != "" && s.cfg.Index != NoIndex && index == NoIndex {
		return fmt.Errorf("%w: the table %q has no index %q", driver.ErrInvalid, s.cfg.Table, s.cfg.Index)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index = index
	return nil
}

// listIndex returns the index to list by, which is looked for once.
func (s *session) listIndex(ctx context.Context) (string, error) {
	s.mu.Lock()
	index := s.index
	s.mu.Unlock()
	if index != "" {
		return index, nil
	}
	table, err := s.describe(ctx)
	if err != nil {
		return "", err
	}
	if table == nil {
		err = s.prepare(ctx)
	} else {
		err = s.check(table)
	}
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index, nil
}

// create makes the table, on demand, with the index. Another process may be
// making it too.
func (s *session) create(ctx context.Context) error {
	attribute := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: types.ScalarAttributeTypeS}
	}
	index := DefaultIndex
	if s.cfg.Index != "" && s.cfg.Index != NoIndex {
		index = s.cfg.Index
	}
	return s.do(ctx, func(ctx context.Context) error {
		_, err := s.client.CreateTable(ctx, &dynamodb.CreateTableInput{
			TableName:            s.table,
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

func (s *session) awaitActive(ctx context.Context) (*types.TableDescription, error) {
	until := time.Now().Add(creationTime)
	for attempt := 0; ; attempt++ {
		table, err := s.describe(ctx)
		if err != nil {
			return nil, err
		}
		if table != nil && isActive(table) {
			return table, nil
		}
		if time.Now().After(until) {
			return nil, fmt.Errorf("%w: the table %q is not active yet; try again later", driver.ErrUnavailable, s.cfg.Table)
		}
		if !wait(ctx, min(attempt, 4)) {
			return nil, ctx.Err()
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
func (s *session) enableTTL(ctx context.Context) error {
	set := func(ctx context.Context) (bool, error) {
		out, err := s.client.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: s.table})
		if err != nil || out.TimeToLiveDescription == nil {
			return false, err
		}
		status := out.TimeToLiveDescription.TimeToLiveStatus
		return status == types.TimeToLiveStatusEnabled || status == types.TimeToLiveStatusEnabling, nil
	}
	return s.do(ctx, func(ctx context.Context) error {
		if done, err := set(ctx); err != nil || done {
			return err
		}
		_, err := s.client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
			TableName:               s.table,
			TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)},
		})
		if err != nil {
			if done, again := set(ctx); again == nil && done {
				return nil // another process was quicker
			}
		}
		return err
	})
}

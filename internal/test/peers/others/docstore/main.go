// Command docstore is Go CDK's docstore in package peers.
package main

import (
	"context"
	"fmt"

	"gocloud.dev/docstore"
	"gocloud.dev/docstore/awsdynamodb/v2"

	"github.com/go-ckpt/checkpoint/internal/test/agentstate"
	"github.com/go-ckpt/checkpoint/internal/test/peers/others/local"
	"github.com/go-ckpt/checkpoint/internal/test/peers/worker"
)

type collection struct{ *docstore.Collection }

// A document is the state under its thread's name, as the fields of an item.
type document struct {
	Thread           string `docstore:"thread"`
	State            *agentstate.State
	DocstoreRevision any
}

const table = "peers-docstore"

func main() { worker.Main(open) }

// open opens a collection of Go CDK, which has DynamoDB alone of these databases.
func open(ctx context.Context, database, address string) (worker.Store, error) {
	if database != "dynamodb" {
		return nil, fmt.Errorf("docstore: no collection on %q is measured", database)
	}
	if err := local.CreateTable(ctx, address, table, "thread"); err != nil {
		return nil, err
	}
	c, err := awsdynamodb.OpenCollection(local.Client(address), table, "thread", "", &awsdynamodb.Options{ConsistentRead: true})
	return collection{c}, err
}

func (c collection) Save(ctx context.Context, thread string, s *agentstate.State) error {
	return c.Put(ctx, &document{Thread: thread, State: s})
}

func (c collection) Load(ctx context.Context, thread string, s *agentstate.State) error {
	return c.Get(ctx, &document{Thread: thread, State: s})
}

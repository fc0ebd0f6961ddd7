package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/go-ckpt/checkpoint/internal/cli/bareclient"
)

// bareOperations returns what the database's own client does, to be measured
// beside the store's operations. remove takes away what it wrote.
func bareOperations(ctx context.Context, src source, payloads [2][]byte) (operations []operation, remove func() error, err error) {
	client, err := bareclient.Open(ctx, src.url)
	if err != nil {
		return nil, nil, fmt.Errorf("--bare: %w", err)
	}
	save, load := client.Does()
	operations = []operation{
		{"bare: " + save, func(ctx context.Context, i int) error {
			return client.Save(ctx, benchThread(i), payloads[benchRound(i)])
		}},
		{"bare: " + load, func(ctx context.Context, i int) error {
			_, err := client.Load(ctx, benchThread(i))
			return err
		}},
	}
	return operations, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		return client.Close(ctx)
	}, nil
}

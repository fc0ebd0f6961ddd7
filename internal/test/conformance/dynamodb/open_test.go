package dynamodb_test

import (
	"testing"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/drivers/dynamodb"
)

func TestOpen(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "local") // or the SDK asks the machine's own service for them
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
	checkpointtest.RunDriver(t, dynamodb.Driver{}, checkpointtest.DSNs{
		Names:   []string{"dynamodb"},
		Valid:   []string{"agent-checkpoints", "dynamodb:agent-checkpoints", "dynamodb://agent-checkpoints?region=eu-central-1"},
		Invalid: []string{"", "dynamodb:", "a", "agent/checkpoints", "agent-checkpoints?create_table=yes", "agent-checkpoints?region=a/b"},
		Words:   []string{"region=eu-central-1", "endpoint=http://localhost:8000", "profile=test", "create_table=true", "index=none"},
		Server: func(address string) string {
			return "dynamodb://agent-checkpoints?region=local&endpoint=http://" + address
		},
	})
}

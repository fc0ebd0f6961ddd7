package postgres_test

import (
	"testing"

	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/drivers/postgres"
)

func TestOpen(t *testing.T) {
	checkpointtest.RunDriver(t, postgres.Driver{}, checkpointtest.DSNs{
		Names: []string{"postgres", "postgresql"},
		Valid: []string{
			"postgres://user:s3cret@localhost/agents", "postgresql://user:s3cret@one:5432,two:5433/agents?sslmode=disable",
			"host=localhost user=user password=s3cret dbname=agents", "host=localhost?password=s3cret",
		},
		Invalid: []string{
			"agents", "postgres://user:s3cret@localhost:port/agents", "postgres://user:s3cret%zz@localhost/agents", "host=localhost password='s3cret",
		},
		Words:  []string{"table_name=states", "max_connections=3", "migrate=false", "prepare=false", "application_name=x"},
		Secret: "s3cret",
		Server: func(address string) string { return "postgres://user:s3cret@" + address + "/agents?sslmode=disable" },
	})
}

package cli

import (
	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
)

func newDrivers(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "drivers",
		Short: "List the drivers that are built in",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range checkpoint.Drivers() {
				var err error
				if a.json {
					err = a.printJSON(struct {
						Driver  string `json:"driver"`
						Example string `json:"example,omitempty"`
					}{name, exampleURLs[name]})
				} else {
					err = a.printf("%-15s %s\n", name, exampleURLs[name])
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// exampleURLs show how a store of each driver is named.
var exampleURLs = map[string]string{
	"dynamodb":        "dynamodb://agent-checkpoints?region=eu-west-1",
	"memory":          "memory:NAME (lives as long as the process)",
	"postgres":        "postgres://user@localhost/agents?history=20",
	"postgresql":      "postgresql://user@localhost/agents?history=20",
	"redis":           "redis://localhost:6379/0?ttl=24h",
	"redis+cluster":   "redis+cluster://host1:7000?addr=host2:7000",
	"redis+sentinel":  "redis+sentinel://host1:26379/0?addr=host2:26379&master_name=main",
	"rediss":          "rediss://host:6379/0",
	"rediss+cluster":  "rediss+cluster://host1:7000?addr=host2:7000",
	"rediss+sentinel": "rediss+sentinel://host1:26379/0?addr=host2:26379&master_name=main",
	"sqlite":          "sqlite:agents.db?history=20",
	"valkey":          "valkey://localhost:6379/0",
	"valkeys":         "valkeys://host:6379/0",
}

package cli

import (
	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
	"github.com/go-ckpt/checkpoint/internal/registry"
)

func newDrivers(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "drivers",
		Short: "List the drivers that are built in",
		Long: `Drivers lists the databases that this program can reach, each with an example of
a store's URL.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range checkpoint.Drivers() {
				example := exampleURL(name)
				var err error
				if a.json {
					err = a.printJSON(struct {
						Driver  string `json:"driver"`
						Example string `json:"example,omitempty"`
					}{name, example})
				} else {
					err = a.printf("%-15s %s\n", name, terminal.Text(example))
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// exampleURL shows how a store of the driver is named, if the driver tells.
func exampleURL(name string) string {
	if d, ok := registry.Drivers.Lookup(name); ok {
		if e, ok := d.(driver.Exampler); ok {
			return e.ExampleDSN(name)
		}
	}
	return ""
}

package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func newNamespaces(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "namespaces",
		Short: "List the namespaces of the store",
		Long: `Namespaces lists the namespaces that hold threads, in byte order, whichever
--namespace names. One whose threads have expired may be among them.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			src := a.source(false)
			store, err := src.open()
			if err != nil {
				return err
			}
			defer store.Close()
			n := 0
			for ns, err := range store.Namespaces(cmd.Context()) {
				switch {
				case errors.Is(err, errors.ErrUnsupported):
					return fmt.Errorf("the %s driver cannot list namespaces (%w)", src.driver(), errors.ErrUnsupported)
				case err != nil:
				case a.json:
					err = a.printJSON(struct {
						Namespace string `json:"namespace"`
					}{ns})
				default:
					err = a.printf("%s\n", ns)
				}
				if err != nil {
					return err
				}
				n++
			}
			if n == 0 {
				a.note("no namespaces")
			}
			return nil
		},
	}
}

package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of the command",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			version, revision := buildVersion()
			platform := runtime.GOOS + "/" + runtime.GOARCH
			if a.json {
				return a.printJSON(struct {
					Version  string `json:"version"`
					Revision string `json:"revision,omitempty"`
					Go       string `json:"go"`
					Platform string `json:"platform"`
				}{version, revision, runtime.Version(), platform})
			}
			return a.printf("%s\n", versionText())
		},
	}
}

// versionText is what --version prints, too.
func versionText() string {
	version, revision := buildVersion()
	if revision != "" {
		version += " (" + revision + ")"
	}
	return fmt.Sprintf("checkpoint %s, %s, %s/%s", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// buildVersion returns the version of the module and the revision of the source
// that this program was built from, as far as the build recorded them.
func buildVersion() (version, revision string) {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown", ""
	}
	if version = build.Main.Version; version == "" {
		version = "(devel)"
	}
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value[:min(12, len(s.Value))]
		}
		if s.Key == "vcs.modified" && s.Value == "true" {
			revision += ", modified"
		}
	}
	return version, revision
}

package cli

import (
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
)

func newPing(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "ping",
		Short: "Connect to the store and check it",
		Long: `Ping connects to the store and prepares or checks what the driver needs in the
database, such as its tables. It says how long that took and how long an empty
round trip takes.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := a.open()
			if err != nil {
				return err
			}
			defer store.Close()
			var took [2]time.Duration
			for i := range took {
				began := time.Now()
				if err := store.Ping(cmd.Context()); err != nil {
					return err
				}
				took[i] = time.Since(began)
			}
			name := a.source(false).driver()
			if a.json {
				return a.printJSON(struct {
					Driver    string `json:"driver"`
					ConnectUS int64  `json:"connect_us"`
					PingUS    int64  `json:"ping_us"`
				}{name, took[0].Microseconds(), took[1].Microseconds()})
			}
			return a.printf("%s: the %s store answers (connected in %v, then %v)\n", a.style.Green("ok"), name, round(took[0]), round(took[1]))
		},
	}
}

// round leaves three digits or so.
func round(d time.Duration) time.Duration {
	for unit := time.Second; unit > time.Nanosecond; unit /= 10 {
		if d >= unit {
			return d.Round(unit / 100)
		}
	}
	return d
}

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
			if revision != "" {
				version += " (" + revision + ")"
			}
			return a.printf("checkpoint %s, %s, %s\n", version, runtime.Version(), platform)
		},
	}
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

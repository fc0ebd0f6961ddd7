package cli

import (
	"time"

	"github.com/spf13/cobra"
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
			return a.done("%s: the %s store answers (connected in %v, then %v)\n", a.style.Green("ok"), name, round(took[0]), round(took[1]))
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

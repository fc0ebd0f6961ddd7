package cli

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
)

// A ttl is the flag --ttl: how long after a save its thread expires.
type ttl struct{ time.Duration }

const day = 24 * time.Hour

// Set implements pflag.Value: a Go duration, and days before it, as in 3d or 1d12h.
func (t *ttl) Set(text string) error {
	rest, days := text, 0
	if before, after, found := strings.Cut(text, "d"); found {
		var err error
		if days, err = strconv.Atoi(before); err != nil || days < 0 || days > int(math.MaxInt64/day)-1 {
			return errBadTTL
		}
		rest = after
	}
	var d time.Duration
	if rest != "" || text == "" {
		var err error
		if d, err = time.ParseDuration(rest); err != nil || d < 0 {
			return errBadTTL
		}
	}
	t.Duration = time.Duration(days)*day + d
	return nil
}

var errBadTTL = errors.New("want a time such as 90s, 24h, 3d or 1d12h, or 0 for never")

// String implements pflag.Value.
func (t *ttl) String() string {
	if t.Duration == 0 {
		return ""
	}
	return t.Duration.String()
}

// Type implements pflag.Value.
func (*ttl) Type() string { return "TIME" }

func (t *ttl) addFlag(cmd *cobra.Command) {
	cmd.Flags().Var(t, "ttl", "the thread expires so long after the save, as 24h or 3d; 0 is never (default: as the URL says, or as long as before)")
}

// option returns how a save expires after a version that was saved before: as the
// flag or the URL say, or else as long after the save as that one would have.
func (t *ttl) option(cmd *cobra.Command, src source, before checkpoint.Info) []checkpoint.SaveOption {
	if cmd.Flags().Changed("ttl") {
		return []checkpoint.SaveOption{checkpoint.ExpiresIn(t.Duration)}
	}
	if _, ok := src.word("ttl"); ok || before.ExpiresAt.IsZero() {
		return nil
	}
	return []checkpoint.SaveOption{checkpoint.ExpiresIn(before.ExpiresAt.Sub(before.SavedAt))}
}

// openReplaying opens the store so that what Restore and Fork save expires as
// option says of the thread.
func (t *ttl) openReplaying(cmd *cobra.Command, a *app, thread string) (*checkpoint.Store, error) {
	if cmd.Flags().Changed("ttl") {
		return a.open(checkpoint.WithTTL(t.Duration))
	}
	store, err := a.open()
	if err != nil {
		return nil, err
	}
	if _, ok := a.source(false).word("ttl"); ok {
		return store, nil
	}
	before, err := store.Stat(cmd.Context(), thread)
	if err != nil {
		store.Close()
		return nil, err
	}
	if before.ExpiresAt.IsZero() {
		return store, nil
	}
	store.Close()
	return a.open(checkpoint.WithTTL(before.ExpiresAt.Sub(before.SavedAt)))
}

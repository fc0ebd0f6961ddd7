package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
)

// conditions are the flags that make a save or a deletion depend on what the
// thread is at that moment.
type conditions struct {
	match   string // --if-match
	version int64  // --if-version
	exists  bool   // --if-exists
}

func (c *conditions) addFlags(cmd *cobra.Command, doing string) {
	flags := cmd.Flags()
	flags.StringVar(&c.match, "if-match", "", doing+" only if the latest checkpoint has this `ID` (else exit status 4)")
	flags.Int64Var(&c.version, "if-version", 0, doing+" only if the latest checkpoint is version `N` (else exit status 4)")
	flags.BoolVar(&c.exists, "if-exists", false, doing+" only if the thread exists")
}

// given returns the condition, nil when there is none.
func (c *conditions) given(cmd *cobra.Command) (checkpoint.Condition, error) {
	var names []string
	var condition checkpoint.Condition
	if cmd.Flags().Changed("if-match") {
		names, condition = append(names, "--if-match"), checkpoint.IfMatch(c.match)
		if c.match == "" {
			return nil, usagef("--if-match needs an id (checkpoint stat THREAD shows it)")
		}
	}
	if cmd.Flags().Changed("if-version") {
		names, condition = append(names, "--if-version"), checkpoint.IfVersion(c.version)
		if c.version < 1 {
			return nil, usagef("--if-version %d: versions count from 1", c.version)
		}
	}
	if c.exists {
		names, condition = append(names, "--if-exists"), checkpoint.IfExists()
	}
	if cmd.Flags().Changed("if-absent") {
		names = append(names, "--if-absent")
	}
	if len(names) > 1 {
		return nil, usagef("%s do not go together: one condition is allowed", strings.Join(names, " and "))
	}
	return condition, nil
}

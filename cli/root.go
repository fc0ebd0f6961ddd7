package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

const rootLong = `checkpoint looks into stores of agent state, puts old states back, and moves
stores between databases: SQLite, PostgreSQL, Redis and DynamoDB.

New here? "checkpoint demo" shows in a few seconds what a store is for.

The store is named by --store or, so that a password stays out of the list of
processes and the shell's history, by the environment:

  CHECKPOINT_STORE    URL of the store (default sqlite:checkpoints.db)
  CHECKPOINT_PROFILE  name of a store in a file; see "checkpoint help profiles"
  CHECKPOINT_KEYS     keys of an encrypted store: base64, 32 bytes each, comma
                      between; the first encrypts, all of them decrypt
  PAGER, NO_COLOR     what shows long output on a terminal; no colours

Exit status: 0 done, 1 failed, 2 wrong use (nothing was done), 3 not found,
4 conflict, 130 interrupted.`

const rootExample = `  checkpoint list
  checkpoint load user-123
  checkpoint history user-123
  checkpoint diff user-123
  checkpoint restore user-123 3
  checkpoint copy --from sqlite:checkpoints.db --to postgres://localhost/agents --history`

const completionLong = `Completion prints a script that has a shell complete commands, flags, threads and
versions. Bash needs the package bash-completion for it, and version 4.1.

  bash        source <(checkpoint completion bash)
  zsh         source <(checkpoint completion zsh)      (after: autoload -U compinit; compinit)
  fish        checkpoint completion fish | source
  powershell  checkpoint completion powershell | Out-String | Invoke-Expression

Put the line into the shell's start-up file to have it always.`

// newRoot returns the command with all its subcommands.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "checkpoint",
		Short:         "Look into stores of agent state, put old states back, move stores between databases",
		Long:          rootLong,
		Example:       rootExample,
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkNamed(cmd); err != nil {
				return err
			}
			return a.useProfile(cmd.Context(), cmd.Name())
		},
		Version: versionText(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(flagError)

	root.Flags().Bool("version", false, "print the version")
	flags := root.PersistentFlags()
	flags.StringVar(&a.store, "store", "", "URL of the store (default $"+envStore+" or "+defaultStore+")")
	flags.StringVar(&a.profile, "profile", "", "`NAME` of a store in the file of profiles (try checkpoint help profiles)")
	flags.StringVarP(&a.namespace, "namespace", "n", "", "namespace (default the URL's, or agents)")
	flags.BoolVar(&a.json, "json", false, "print JSON, one value a line")
	flags.BoolVar(&a.noPager, "no-pager", false, "show long output on a terminal without $PAGER")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "print what was asked for and errors, nothing else")

	const start, state, versions, stores = "start", "state", "versions", "stores"
	root.AddGroup(
		&cobra.Group{ID: start, Title: "Start here:"},
		&cobra.Group{ID: state, Title: "States:"},
		&cobra.Group{ID: versions, Title: "Versions of a thread:"},
		&cobra.Group{ID: stores, Title: "Whole stores:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(start, newDemo(a), newPing(a), newDrivers(a))
	add(state, newList(a), newLoad(a), newSave(a), newEdit(a), newStat(a), newWatch(a), newUI(a), newDelete(a))
	add(stores, newNamespaces(a), newCopy(a), newExport(a), newImport(a), newPurge(a), newCollect(a), newRekey(a), newCompact(a), newVerify(a), newBench(a))
	add(versions, newHistory(a), newLog(a), newFind(a), newDiff(a), newRestore(a), newFork(a))
	root.AddCommand(newVersion(a), newProfiles())
	strictHelp(root)
	return root
}

// checkNamed refuses an empty value of a flag that names a store or a thread, which a
// variable of the shell that is not set becomes: as if the flag were not there, the
// command would work on another one.
func checkNamed(cmd *cobra.Command) error {
	for _, name := range []string{"store", "profile", "namespace", "from", "to", "with"} {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed && f.Value.String() == "" {
			return usagef("--%s is empty, as a variable that is not set is: give it a value, or leave it out", name)
		}
	}
	return nil
}

// strictHelp makes the commands that cobra brings refuse words that they do not
// know, as all the others do: otherwise they show their help and succeed.
func strictHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("")
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				if found, rest, err := root.Find(args); err != nil || found == root && len(args) > 0 || len(rest) > 0 && found.HasSubCommands() {
					return unknownCommand(root, args[len(args)-1])
				}
				return nil
			}
		case "completion":
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				if len(args) > 0 {
					return usagef("completion wants one of bash, zsh, fish and powershell (try checkpoint completion --help)")
				}
				return nil
			}
			cmd.RunE = func(cmd *cobra.Command, args []string) error { return cmd.Help() }
			cmd.Use, cmd.Short = "completion", "Print the completions for bash, zsh, fish or powershell"
			cmd.Long = completionLong
		}
	}
}

// unknownCommand reports a word that is no command. What does not look like one
// is not shown: it may be a URL with a password.
func unknownCommand(cmd *cobra.Command, word string) error {
	for _, c := range word {
		if (c < 'a' || c > 'z') && c != '-' {
			return usagef("the first argument is no command; a store is named with --store or %s (try checkpoint --help)", envStore)
		}
	}
	var near string
	if found := cmd.SuggestionsFor(word); len(found) > 0 {
		near = fmt.Sprintf("; did you mean %s?", strings.Join(found, " or "))
	}
	return usagef("unknown command %q%s (try checkpoint --help)", word, near)
}

// arguments checks how many arguments a command was given.
func arguments(least, most int, names string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s needs %s (try checkpoint %s --help)", cmd.Name(), names, cmd.Name())
		case most >= 0 && len(args) > most:
			if names == "" {
				return usagef("%s takes no arguments (try checkpoint %s --help)", cmd.Name(), cmd.Name())
			}
			return usagef("%s takes %s and nothing more (try checkpoint %s --help)", cmd.Name(), names, cmd.Name())
		}
		return nil
	}
}

// noArguments is for commands without arguments.
var noArguments = arguments(0, 0, "")

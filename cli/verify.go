package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/checkpointtest"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

// ruleNames are the subjects of the rules in package driver, from 1.
var ruleNames = []string{
	"linearizability", "atomicity", "at most once", "conditions", "expiry", "history",
	"order and paging", "payloads", "names", "namespaces", "errors", "concurrency",
}

func newVerify(a *app) *cobra.Command {
	var cases, calls bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Run the conformance suite against the store",
		Long: `Verify runs the conformance suite of the drivers against the store, to find out
whether a database that has not been tested here, such as a managed Redis or a cluster
that speaks PostgreSQL's protocol, keeps the rules that agents rely on. The rules
are those of package driver.

It works in namespaces of its own, next to what is there, and removes them. It
takes a minute or more. The exit status is 1 when a rule is broken.`,
		Example: `  checkpoint verify --store redis://staging:6379/0
  checkpoint verify --cases`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if timeout <= 0 {
				return usagef("--timeout %v: a case needs some time", timeout)
			}
			return a.verify(cmd.Context(), timeout, cases, calls)
		},
	}
	cmd.Flags().BoolVar(&cases, "cases", false, "show every case, not only the sums of each rule")
	cmd.Flags().BoolVarP(&calls, "verbose", "v", false, "show with each failure the calls that came before it")
	cmd.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "how long a case may take, for databases that are slow")
	return cmd
}

func (a *app) verify(ctx context.Context, timeout time.Duration, cases, calls bool) error {
	src := a.source(true)
	first, err := src.open() // the errors of URL, namespace and keys
	if err != nil {
		return err
	}
	defer first.Close()
	if locate(first).Private {
		return usagef("verify opens the store many times, and this one is private to each; name a file, or memory:NAME")
	}

	options := []checkpointtest.Option{checkpointtest.Timeout(timeout)}
	if src.keys != "" {
		keys, err := src.parseKeys()
		if err != nil {
			return err
		}
		options = append(options, checkpointtest.Options(checkpoint.WithEncryption(keys)))
	}
	bar := a.progress("verifying", 0)
	defer bar.finish()
	options = append(options, checkpointtest.Progress(func(r checkpointtest.Result, done, total int) {
		bar.setTotal(int64(total))
		bar.set(int64(done))
	}))
	report := checkpointtest.Verify(ctx, src.openBackend, options...)
	bar.finish()
	if err := ctx.Err(); err != nil {
		a.note("the cases that ran have removed what they wrote; run verify again for a report")
		return err
	}
	switch {
	case a.json:
		err = a.printResults(report)
	case cases:
		err = a.printCases(report)
	default:
		err = a.printRules(report)
	}
	if err == nil && !a.json {
		err = a.printReasons(report, calls)
	}
	if err == nil && !report.OK() {
		err = errReported
	}
	return err
}

// openBackend opens the store and returns its backend, which the caller closes.
func (s source) openBackend() (b driver.Backend, err error) {
	store, err := s.open()
	if err != nil {
		return nil, err
	}
	err = store.Raw(func(opened driver.Backend) error {
		b = opened
		return nil
	})
	return b, err
}

// printRules writes a line for each rule.
func (a *app) printRules(report checkpointtest.Report) error {
	counts := map[int]map[checkpointtest.Outcome]int{}
	for _, r := range report.Results {
		if counts[r.Rule] == nil {
			counts[r.Rule] = map[checkpointtest.Outcome]int{}
		}
		counts[r.Rule][r.Outcome]++
	}
	table := a.table(
		terminal.Column{Title: "RULE", Right: true},
		terminal.Column{Title: "ABOUT"},
		terminal.Column{Title: "PASSED", Right: true},
		terminal.Column{Title: "FAILED", Right: true},
		terminal.Column{Title: "UNSUPPORTED", Right: true},
		terminal.Column{Title: ""})
	for i, name := range ruleNames {
		n := counts[i+1]
		verdict := a.style.Green("ok")
		switch {
		case n[checkpointtest.Failed] > 0:
			verdict = a.style.Red("BROKEN")
		case n[checkpointtest.Passed] == 0:
			verdict = a.style.Dim("not tested")
		}
		if err := table.Row(strconv.Itoa(i+1), name, strconv.Itoa(n[checkpointtest.Passed]),
			strconv.Itoa(n[checkpointtest.Failed]), strconv.Itoa(n[checkpointtest.Unsupported]), verdict); err != nil {
			return err
		}
	}
	return table.Flush()
}

func (a *app) printCases(report checkpointtest.Report) error {
	table := a.table(
		terminal.Column{Title: "CASE", Flex: true},
		terminal.Column{Title: "RULE", Right: true},
		terminal.Column{Title: "TIME", Right: true},
		terminal.Column{Title: "OUTCOME"})
	for _, r := range report.Results {
		if err := table.Row(r.Case, strconv.Itoa(r.Rule), round(r.Duration).String(), a.colour(r.Outcome)); err != nil {
			return err
		}
	}
	return table.Flush()
}

func (a *app) colour(o checkpointtest.Outcome) string {
	switch o {
	case checkpointtest.Passed:
		return a.style.Green(string(o))
	case checkpointtest.Failed:
		return a.style.Red(string(o))
	}
	return a.style.Dim(string(o))
}

// printReasons writes why cases failed or could not be run, with the calls before if
// they are asked for, and the sums.
func (a *app) printReasons(report checkpointtest.Report, calls bool) error {
	counts := map[checkpointtest.Outcome]int{}
	for _, r := range report.Results {
		counts[r.Outcome]++
		if r.Outcome == checkpointtest.Passed {
			continue
		}
		reason := r.Brief()
		if calls {
			reason = r.Reason
		}
		reason = terminal.Text(strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(reason, "\t", "  ")), "\n", "\n  "))
		if err := a.printf("\n%s: %s\n  rule %d: %s\n  %s\n", a.colour(r.Outcome), r.Case, r.Rule, r.Text, reason); err != nil {
			return err
		}
	}
	return a.printf("\n%d passed, %d failed, %d unsupported\n",
		counts[checkpointtest.Passed], counts[checkpointtest.Failed], counts[checkpointtest.Unsupported])
}

// printResults writes a line of JSON for each case.
func (a *app) printResults(report checkpointtest.Report) error {
	for _, r := range report.Results {
		err := a.printJSON(struct {
			Case       string                 `json:"case"`
			Rule       int                    `json:"rule"`
			Text       string                 `json:"text"`
			Outcome    checkpointtest.Outcome `json:"outcome"`
			Reason     string                 `json:"reason,omitempty"`
			DurationMS int64                  `json:"duration_ms"`
		}{r.Case, r.Rule, r.Text, r.Outcome, r.Reason, r.Duration.Milliseconds()})
		if err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	return nil
}

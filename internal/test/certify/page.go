package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A result is a case of the suite, or a step of the program.
type result struct {
	Case    string `json:"case"`
	Rule    int    `json:"rule"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
	Millis  int64  `json:"duration_ms"`
}

// A run is what came of one server.
type run struct {
	server  server
	version string
	from    string // how it was obtained
	missing bool   // it was not
	results []result
}

const heading = "| server | version | from | passed | failed, and what follows | date |\n|---|---|---|--:|---|---|\n"

// unfinished is the outcome of a case that has not come to its end in time, or in which
// the server gave no answer in time.
const unfinished = "unfinished"

// What cells say.
const (
	notObtained = "not obtained"
	nothing     = "nothing"
)

// write puts the lines of the servers that ran into the page, whose introduction stays,
// and reports whether all of them could be obtained and did what is known of them.
func write(page, folder string) (bool, error) {
	runs, err := readRuns(folder)
	if err != nil {
		return false, err
	}
	introduction, lines, err := readPage(page)
	if err != nil {
		return false, err
	}
	ok := true
	for _, r := range runs {
		lines[r.server.title] = r.line(time.Now().UTC())
		ok = r.asKnown() && ok
	}
	var text strings.Builder
	text.WriteString(introduction)
	for _, kind := range []string{database, emulator} {
		fmt.Fprintf(&text, "\n## %s\n\n%s", kind, heading)
		for _, s := range servers {
			if s.kind == kind && lines[s.title] != "" {
				text.WriteString(lines[s.title] + "\n")
			}
		}
	}
	return ok, os.WriteFile(page, []byte(text.String()), 0o644)
}

// compare reports whether the servers that ran do what the page says of them. It does
// not compare the number of cases, which grows with the suite, nor versions, which
// differ where a distribution chooses them.
func compare(page, folder string) (bool, error) {
	runs, err := readRuns(folder)
	if err != nil {
		return false, err
	}
	_, lines, err := readPage(page)
	if err != nil {
		return false, err
	}
	ok := true
	for _, r := range runs {
		ok = r.asKnown() && ok
		cells := strings.Split(lines[r.server.title], " | ")
		switch {
		case len(cells) == 1 || cells[3] == notObtained:
			fmt.Printf("%s: %s does not say what it does\n", r.server.title, page)
			ok = false
		case cells[4] == nothing && len(r.with("failed"))+len(r.with(unfinished)) > 0:
			fmt.Printf("%s: %s says that it passes all\n", r.server.title, page)
			ok = false
		}
	}
	return ok, nil
}

// readRuns reads what scripts/certify.sh leaves: a folder for each server.
func readRuns(folder string) ([]run, error) {
	names, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var runs []run
	for _, name := range names {
		i := slices.IndexFunc(servers, func(s server) bool { return s.name == name.Name() })
		if i < 0 {
			return nil, fmt.Errorf("%s is not among the servers that are described", name.Name())
		}
		r := run{server: servers[i]}
		if err := r.read(filepath.Join(folder, name.Name())); err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	return runs, nil
}

func (r *run) read(folder string) error {
	if text, err := os.ReadFile(filepath.Join(folder, "missing")); err == nil {
		r.missing, r.from = true, strings.TrimSpace(string(text))
		return nil
	}
	about, err := os.ReadFile(filepath.Join(folder, "about"))
	if err != nil {
		return err
	}
	var found bool
	if r.version, r.from, found = strings.Cut(strings.TrimSpace(string(about)), "\n"); !found {
		return fmt.Errorf("%s: no version and origin in %q", r.server.title, about)
	}
	file, err := os.Open(filepath.Join(folder, "results"))
	if err != nil {
		return err
	}
	defer file.Close()
	for d := json.NewDecoder(bufio.NewReader(file)); d.More(); {
		var res result
		if err := d.Decode(&res); err != nil {
			return fmt.Errorf("%s: %w", file.Name(), err)
		}
		reason, _, _ := strings.Cut(res.Reason, "\n")
		if res.Outcome == "failed" && (strings.Contains(reason, " does not answer") || strings.Contains(reason, " before it was answered")) {
			res.Outcome = unfinished
		}
		if res.Outcome != "unsupported" { // by the driver, not by the server
			r.results = append(r.results, res)
		}
	}
	for _, prefix := range []string{"Raw/", "Store/", "Program/"} {
		if !slices.ContainsFunc(r.results, func(res result) bool { return strings.HasPrefix(res.Case, prefix) }) {
			r.results = append(r.results, result{Case: prefix + "NotRun", Outcome: "failed", Reason: "these cases have not run"})
		}
	}
	return nil
}

// readPage returns what stands before the tables, and their lines by the first cell.
func readPage(page string) (introduction string, lines map[string]string, err error) {
	text, err := os.ReadFile(page)
	introduction, _, _ = strings.Cut(string(text), "\n## ")
	lines = map[string]string{}
	for line := range strings.SplitSeq(string(text), "\n") {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| ") && len(cells) == 6 {
			lines[strings.TrimPrefix(cells[0], "| ")] = line
		}
	}
	return introduction, lines, err
}

func (r run) with(outcome string) []result {
	return slices.DeleteFunc(slices.Clone(r.results), func(res result) bool { return res.Outcome != outcome })
}

// asKnown reports whether the server was obtained and fails nothing but what is known
// of it, and says what is not so.
func (r run) asKnown() bool {
	if r.missing {
		fmt.Printf("%s: not obtained: %s\n", r.server.title, r.from)
		return false
	}
	ok := true
	for _, f := range r.with("failed") {
		if r.server.why(f.Case) == nil {
			fmt.Printf("%s: %s (rule %d): %s\n", r.server.title, f.Case, f.Rule, f.Reason)
			ok = false
		}
	}
	for _, u := range r.with(unfinished) {
		if r.server.slow == "" {
			fmt.Printf("%s: %s (rule %d) has not come to its end\n", r.server.title, u.Case, u.Rule)
			ok = false
		}
	}
	return ok
}

// line is the server's line of the page.
func (r run) line(now time.Time) string {
	cells := []string{r.server.title, r.version, r.from, "", nothing, now.Format(time.DateOnly)}
	if r.missing {
		cells[3], cells[4] = notObtained, "not run"
	} else {
		failed, late := r.with("failed"), r.with(unfinished)
		cells[3] = fmt.Sprintf("%d of %d", len(r.results)-len(failed)-len(late), len(r.results))
		if len(failed)+len(late) > 0 {
			cells[4] = r.server.explain(failed, late)
		}
	}
	return "| " + strings.Join(cells, " | ") + " |"
}

// explain tells which rules the cases belong to that failed or came to no end, why, and
// what follows for those who use the server.
func (s server) explain(failed, late []result) string {
	var sentences []string
	for _, k := range s.known {
		of := slices.DeleteFunc(slices.Clone(failed), func(f result) bool { return !k.matches(f.Case) })
		if len(of) > 0 {
			sentences = append(sentences, "**"+rules(of)+"** "+k.why)
		}
	}
	for _, f := range failed {
		if s.why(f.Case) == nil {
			sentences = append(sentences, fmt.Sprintf("**rule %d** `%s`: not explained", f.Rule, f.Case))
		}
	}
	if len(late) > 0 {
		sentences = append(sentences, fmt.Sprintf("%d of the cases of **%s** did not end, for want of an answer in time: %s", len(late), rules(late), s.slow))
	}
	return strings.Join(sentences, "; ")
}

// rules are the rules that cases belong to: "rule 4" or "rules 4, 8".
func rules(of []result) string {
	var numbers []int
	for _, res := range of {
		numbers = append(numbers, res.Rule)
	}
	slices.Sort(numbers)
	var texts []string
	for _, n := range slices.Compact(numbers) {
		texts = append(texts, strconv.Itoa(n))
	}
	if len(texts) == 1 {
		return "rule " + texts[0]
	}
	return "rules " + strings.Join(texts, ", ")
}

// why returns what is known about a failing case, or nil.
func (s server) why(name string) *known {
	for i := range s.known {
		if s.known[i].matches(name) {
			return &s.known[i]
		}
	}
	return nil
}

func (k known) matches(name string) bool {
	return slices.ContainsFunc(k.cases, func(pattern string) bool {
		ok, _ := path.Match(pattern, name)
		return ok
	})
}

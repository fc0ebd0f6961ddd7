package docs

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestFigures: what the pages quote of BENCHMARKS.md is what stands there. The
// sentences here are made of its tables; a page has to have them, wherever its lines
// end.
func TestFigures(t *testing.T) {
	t.Parallel()
	b := benchmarks{t, find(t, "BENCHMARKS.md")}
	pair := func(name, database string) string {
		of := func(operation string) string {
			return b.row(database, operation, "2 KB", "1")[5] + " / " + b.row(database, operation, "100 KB", "1")[5]
		}
		return name + " save " + of("save") + ", load " + of("load")
	}
	history := b.ratios(regexp.MustCompile("^save, history 20 beside 1 (2|100) KB$"), "SQLite", "Redis", "PostgreSQL")
	historyDynamoDB := b.ratios(regexp.MustCompile("^save, history 20 beside 1 (2|100) KB$"), "DynamoDB")
	million := b.ratios(regexp.MustCompile(", 1000000 threads "), "SQLite, by", "Redis, by", "PostgreSQL, by")
	long := b.ratios(regexp.MustCompile(", 10000 versions "), "SQLite, by", "Redis, by", "PostgreSQL, by")
	longDynamoDB := b.ratios(regexp.MustCompile(", 10000 versions "), "DynamoDB, by")
	groups := 1 / b.ratio("SQLite", "save", "2 KB", "8")
	times := func(database string, format string) string {
		return fmt.Sprintf(format+" ms", b.median(database, "save", "2 KB", "1")*1e3, b.median(database, "load", "2 KB", "1")*1e3)
	}
	each := func(state string) int {
		saves := 1 / b.median("PostgreSQL", "save, history 20", state, "1")
		digits := math.Pow(10, math.Floor(math.Log10(saves))-1)
		return int(math.Round(saves/digits) * digits)
	}

	adk := func(operation, database string) string {
		for _, r := range b.rows("Sessions of ADK") {
			if r[0] == operation && r[1] == database {
				return r[4]
			}
		}
		t.Fatalf("BENCHMARKS.md does not have %q on %s of ADK", operation, database)
		return ""
	}

	for _, quote := range []struct{ page, want string }{
		{"README.md", pair("Redis", "Redis")},
		{"README.md", pair("PostgreSQL", "PostgreSQL")},
		{"README.md", pair("SQLite", "SQLite")},
		{"README.md", pair("DynamoDB Local", "DynamoDB")},
		{"README.md", fmt.Sprintf("and %.1f times the throughput with 8 savers", groups)},
		{"README.md", fmt.Sprintf("a save that keeps 20 versions takes %.1f to %.1f times one that keeps the latest (DynamoDB %.1f)",
			slices.Min(history), slices.Max(history), slices.Max(historyDynamoDB))},
		{"README.md", fmt.Sprintf("take at most %.1f times what they take with ten thousand", slices.Max(million))},
		{"README.md", fmt.Sprintf("(%.1f times; DynamoDB %.1f)", slices.Max(long), slices.Max(longDynamoDB))},
		{"README.md", fmt.Sprintf("The handle** adds %.1f µs", b.median("The handle", "save", "2 KB", "1")*1e6)},
		{"docs/comparison.md", fmt.Sprintf("a save takes %.2f and a load %.2f times what a bare upsert and a bare select take on PostgreSQL",
			b.ratio("PostgreSQL", "save", "2 KB", "1"), b.ratio("PostgreSQL", "load", "2 KB", "1"))},
		{"docs/comparison.md", fmt.Sprintf("an append with 8 sessions was %s times as fast on SQLite and %s on PostgreSQL, and reading a session of 1000 events %s and %s times as fast",
			adk("append, 8 sessions", "SQLite"), adk("append, 8 sessions", "PostgreSQL"), adk("read", "SQLite"), adk("read", "PostgreSQL"))},
		{"docs/choosing.md", "| a save and a load of 2 KB took | " + times("SQLite", "%.2f, %.3f") + " | " + times("PostgreSQL", "%.2f, %.2f") + " | " +
			times("Redis", "%.2f, %.2f") + " | " + times("DynamoDB", "%.1f, %.1f")},
		{"docs/drivers/sqlite.md", fmt.Sprintf("8 of them save %.1f times as fast as a bare client, and with a million threads a save takes %.1f times what it takes with ten thousand",
			groups, b.ratio("SQLite, by", "save, 1000000 threads", "2 KB", "1"))},
		{"docs/operations.md", fmt.Sprintf("one caller saved %d states of 2 KB or %d of 100 KB a second", each("2 KB"), each("100 KB"))},
	} {
		text := strings.Join(strings.Fields(find(t, quote.page).text), " ")
		if !strings.Contains(text, quote.want) {
			t.Errorf("%s does not say what BENCHMARKS.md does:\n%s", quote.page, quote.want)
		}
	}
}

// TestFiguresAreChecked: a page that quotes BENCHMARKS.md is one that TestFigures knows.
func TestFiguresAreChecked(t *testing.T) {
	t.Parallel()
	known := []string{"README.md", "docs/comparison.md", "docs/choosing.md", "docs/drivers/sqlite.md", "docs/operations.md",
		"docs/frameworks.md"} // which only leads there
	for _, p := range pages(t) {
		if p.name == "CHANGELOG.md" || slices.Contains(known, p.name) {
			continue
		}
		for _, l := range p.links() {
			if strings.HasSuffix(l.file, "BENCHMARKS.md") {
				t.Errorf("%s links to BENCHMARKS.md: if it quotes a figure, let TestFigures compare it", p.name)
			}
		}
	}
}

// benchmarks reads the tables of BENCHMARKS.md.
type benchmarks struct {
	t    *testing.T
	page page
}

// rows returns the rows of the section whose title begins so: operation, state,
// callers, median, floor, ratio.
func (b benchmarks) rows(section string) []row {
	b.t.Helper()
	_, after, found := strings.Cut(b.page.text, "\n## "+section)
	if !found {
		b.t.Fatalf("BENCHMARKS.md has no section %q", section)
	}
	after, _, _ = strings.Cut(after, "\n## ")
	tables := page{text: after}.tables()
	if len(tables) == 0 {
		b.t.Fatalf("the section %q of BENCHMARKS.md has no table", section)
	}
	return tables[0][1:]
}

func (b benchmarks) row(section, operation, state, callers string) row {
	b.t.Helper()
	for _, r := range b.rows(section) {
		if r[0] == operation && r[1] == state && r[2] == callers {
			return r
		}
	}
	b.t.Fatalf("the section %q of BENCHMARKS.md does not have %s, %s, %s", section, operation, state, callers)
	return nil
}

func (b benchmarks) ratio(section, operation, state, callers string) float64 {
	b.t.Helper()
	ratio, err := strconv.ParseFloat(b.row(section, operation, state, callers)[5], 64)
	if err != nil {
		b.t.Fatal(err)
	}
	return ratio
}

// median returns a median in seconds.
func (b benchmarks) median(section, operation, state, callers string) float64 {
	b.t.Helper()
	median, err := time.ParseDuration(b.row(section, operation, state, callers)[3])
	if err != nil {
		b.t.Fatal(err)
	}
	return median.Seconds()
}

// ratios returns those of the rows whose operation and state match, with one caller.
func (b benchmarks) ratios(operation *regexp.Regexp, sections ...string) []float64 {
	b.t.Helper()
	var all []float64
	for _, section := range sections {
		for _, r := range b.rows(section) {
			if operation.MatchString(r[0] + " " + r[1]) {
				all = append(all, b.ratio(section, r[0], r[1], r[2]))
			}
		}
	}
	if len(all) == 0 {
		b.t.Fatalf("no row of %q matches %s", sections, operation)
	}
	return all
}

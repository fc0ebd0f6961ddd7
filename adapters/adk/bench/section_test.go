package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const title = "## Sessions of ADK, beside its own service"

func section(results []result, began time.Time) string {
	load := ""
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = strings.Fields(string(data))[0]
	}
	var b strings.Builder
	fmt.Fprintf(&b, `%s

Made by `+"`make bench`"+` on %s (%d processors, %s; load of the machine at the end: %s) with google.golang.org/adk/v2 v2.2.0: its
`+"`session/database`"+` on GORM v1.31.2, and `+"`adapters/adk`"+`, in turns on the same server, medians of %d. An event has 1 KB of text
and changes the state; a session has %d events, eight at a time have %d each. GORM has ten connections, as the drivers
have; on SQLite it has the same engine, WAL and synchronous=full too, and transactions that are immediate, without which
appends of several sessions fail.

| operation | database | adapters/adk | GORM | times as fast | target | |
|---|---|---:|---:|---:|---:|---|
`, title, began.UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), load, *rounds, *events, *events/8)
	for _, r := range results {
		target, verdict := "", ""
		if r.target > 0 {
			target, verdict = fmt.Sprintf("%.1f", r.target), "missed"
			if r.times() >= r.target {
				verdict = "met"
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %v | %v | %.1f | %s | %s |\n", r.operation, r.database, r.ours.Round(time.Microsecond), r.gorm.Round(time.Microsecond), r.times(), target, verdict)
	}
	fmt.Fprintf(&b, "\nTook %v.\n", time.Since(began).Round(time.Second))
	return b.String()
}

// writeSection puts the section at the end of the page, instead of one that is there.
func writeSection(path, section string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, old, _ := strings.Cut(string(page), title)
	if _, after, found := strings.Cut(old, "\n## "); found {
		before += "## " + after
	}
	return os.WriteFile(path, []byte(strings.TrimRight(before, "\n")+"\n\n"+section), 0o644)
}

// TestWriteSection: whatever sections are there, this one is at the end, once.
func TestWriteSection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	mine := title + "\n\ntext\n"
	for _, before := range []string{"# B\n\n## X\n\nx\n", "# B\n\n## X\n\nx\n\n" + mine, "# B\n\n" + mine + "\n## X\n\nx\n"} {
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := writeSection(path, mine); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if want := "# B\n\n## X\n\nx\n\n" + mine; err != nil || string(got) != want {
			t.Errorf("%q becomes %q, %v", before, got, err)
		}
	}
}

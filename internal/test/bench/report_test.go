package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/benchpage"
)

// A page is BENCHMARKS.md.
type page struct {
	began    time.Time
	sections []section
}

// A section is what one piece found: results, or a table of its own. What about
// says holds for all pieces of a kind, and is printed before the first of them in a run.
type section struct {
	title, about, text string
	results            []result
	table              string
	took               time.Duration
	load               string // of the machine when it began
}

// write writes the page anew: its head, and the sections, in the place of those that
// have the same titles there. What a run has not measured stays.
func (p *page) write(path string) error {
	var head bytes.Buffer
	fmt.Fprintf(&head, `# Benchmarks

Made by `+"`make bench`"+`, the last part of it on %s: %s, %s/%s, %d processors, %s. Load of the machine then: %s.
Parts may be of other days and processors.

Each operation of a driver is measured beside its floor: the fewest calls of the bare client that move the same bytes
with the same durability. The two are called alternately in one run, and the ratio is that of their medians: machines
differ, and times with them; ratios hardly do. With 8 callers the two take turns in blocks, and the time is that of a
block divided by its calls. Payloads are the JSON of a conversation of an agent. Servers run on the same machine, so a
round trip costs next to nothing here; over a network the ratios come closer to 1. A target is the most that a ratio
should be, where one was set.
`, p.began.UTC().Format("2006-01-02"), benchpage.Processor(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), loadAtStart)
	there, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, kept := cutSections(string(there))
	said := make(map[string]bool)
	for _, s := range p.sections {
		text := s.format(p.began, said)
		title := strings.SplitAfter(text, "\n")[1]
		if i := slices.IndexFunc(kept, func(k string) bool { return strings.HasPrefix(k, "\n"+title) }); i >= 0 {
			kept[i] = text
		} else {
			kept = append(kept, text)
		}
	}
	return os.WriteFile(path, []byte(head.String()+strings.Join(kept, "")), 0o644)
}

// cutSections divides a page into what stands before the first section, and the
// sections, each from the empty line before its title on.
func cutSections(page string) (head string, sections []string) {
	parts := strings.Split(page, "\n\n## ")
	for i, part := range parts[1:] {
		if i < len(parts)-2 {
			part += "\n"
		}
		sections = append(sections, "\n## "+part)
	}
	return parts[0], sections
}

// format returns a section as it is printed. What it has in common with others of the
// run stands before the first of them.
func (s section) format(began time.Time, said map[string]bool) string {
	var b strings.Builder
	text := s.text
	if s.about != "" && !said[s.about] {
		said[s.about] = true
		text = s.about + "\n\n" + text
	}
	fmt.Fprintf(&b, "\n## %s\n\n%s\n\n%s", s.title, text, s.table)
	if len(s.results) > 0 {
		if s.table != "" {
			b.WriteByte('\n')
		}
		b.WriteString("| operation | state | callers | median | floor | ratio | target | |\n|---|---:|---:|---:|---:|---:|---:|---|\n")
	}
	for _, r := range s.results {
		floor, ratio, goal, met := "", "", "", ""
		if r.Floor > 0 {
			floor, ratio = short(r.Floor), fmt.Sprintf("%.2f", r.ratio())
		}
		if r.Target > 0 {
			goal, met = fmt.Sprintf("%.2f", r.Target), verdict(math.Round(100*r.ratio()) <= math.Round(100*r.Target)) // as they are printed
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s | %s | %s |\n", r.Name, size(r.Size), r.Callers, short(r.Ours), floor, ratio, goal, met)
	}
	fmt.Fprintf(&b, "\nTook %v on %s, at a load of %s: %s.\n", s.took.Round(time.Second), began.UTC().Format("2006-01-02"), s.load, benchpage.Processor())
	return b.String()
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// short rounds a time to three digits or so.
func short(d time.Duration) string { return d.Round(d/1000 + 1).String() }

func size(n int) string {
	switch {
	case n == 0:
		return ""
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d KB", n>>10)
}

// loadAtStart is the machine's load in the minute before the run.
var loadAtStart = benchpage.Load()

// TestPageKeepsSections writes two runs into one page.
func TestPageKeepsSections(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/page.md"
	began := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	run := func(titles ...string) {
		p := &page{began: began}
		for _, title := range titles {
			p.sections = append(p.sections, section{title: title, text: "On " + began.Format("2006-01-02") + ".", load: "1.0"})
		}
		require(t, p.write(path))
		began = began.AddDate(0, 0, 1)
	}
	run("one", "two", "three")
	run("two", "four")
	run("one")
	text, err := os.ReadFile(path)
	require(t, err)
	_, sections := cutSections(string(text))
	var got []string
	for _, s := range sections {
		lines := strings.Split(s, "\n")
		got = append(got, lines[1]+" "+lines[3])
	}
	want := []string{"## one On 2026-01-04.", "## two On 2026-01-03.", "## three On 2026-01-02.", "## four On 2026-01-03."}
	if !slices.Equal(got, want) {
		t.Errorf("the page has %q, want %q", got, want)
	}
}

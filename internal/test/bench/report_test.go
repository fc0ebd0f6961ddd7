package bench

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"runtime"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/benchpage"
)

// A page is BENCHMARKS.md.
type page struct {
	began    time.Time
	sections []section
}

// A section is what one piece found: results, or a table of its own. What about
// says holds for all pieces of a kind, and is printed before the first of them.
type section struct {
	title, about, text string
	results            []result
	table              string
	took               time.Duration
}

func (p *page) write(path string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Benchmarks

Made by `+"`make bench`"+` on %s: %s, %s/%s, %d processors, %s. Load of the machine at the beginning: %s.

Each operation of a driver is measured beside its floor: the fewest calls of the bare client that move the same bytes
with the same durability. The two are called alternately in one run, and the ratio is that of their medians: machines
differ, and times with them; ratios hardly do. With 8 callers the two take turns in blocks, and the time is that of a
block divided by its calls. Payloads are the JSON of a conversation of an agent. Servers run on the same machine, so a
round trip costs next to nothing here; over a network the ratios come closer to 1. A target is the most that a ratio
should be, where one was set.
`, p.began.UTC().Format("2006-01-02"), benchpage.Processor(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), loadAtStart)
	said := make(map[string]bool)
	for _, s := range p.sections {
		text := s.text
		if s.about != "" && !said[s.about] {
			said[s.about] = true
			text = s.about + "\n\n" + text
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n%s", s.title, text, s.table)
		if len(s.results) > 0 {
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
		fmt.Fprintf(&b, "\nTook %v.\n", s.took.Round(time.Second))
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
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

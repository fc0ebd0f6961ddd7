package bench

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// writeReport writes the page of figures.
func writeReport(path string, all []measured) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Benchmarks

Made by `+"`make bench`"+` on %s: %s, %s/%s, %d processors, %s.

Each operation of a driver is measured beside its floor: the fewest calls of the bare client that move the same bytes
with the same durability. The two are called alternately in one run, and the ratio is that of their medians: machines
differ, and times with them; ratios hardly do. With 8 callers the time is that of the whole run divided by the calls of
all. Payloads are the JSON of a conversation of an agent. Servers run on the same machine, so a round trip costs
next to nothing here; over a network the ratios come closer to 1.
`, time.Now().UTC().Format("2006-01-02"), processor(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	for _, m := range all {
		title, floor := "The handle", "Package checkpoint over a backend that does nothing, beside the codec."
		if m.subject != nil {
			save, load := m.subject.bare.Does()
			title = m.subject.name
			floor = fmt.Sprintf("%s. The floor of a save is one bare %s, that of a load one bare %s.", m.subject.versions, save, load)
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| operation | state | callers | median | floor | ratio |\n|---|---:|---:|---:|---:|---:|\n", title, floor)
		for _, r := range m.results {
			floor, ratio := "", ""
			if r.Floor > 0 {
				floor, ratio = r.Floor.Round(r.Floor/1000+1).String(), fmt.Sprintf("%.2f", r.ratio())
			}
			fmt.Fprintf(&b, "| %s | %s | %d | %v | %s | %s |\n", r.Name, size(r.Size), r.Callers, r.Ours.Round(r.Ours/1000+1), floor, ratio)
		}
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func size(n int) string {
	switch {
	case n == 0:
		return ""
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d KB", n>>10)
}

// processor names the machine's processor where the system tells.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "an unnamed processor"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "an unnamed processor"
}

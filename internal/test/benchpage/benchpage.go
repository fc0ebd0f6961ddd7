// Package benchpage writes the sections of BENCHMARKS.md that benchmarks in other places
// make than the one that writes the page.
package benchpage

import (
	"os"
	"runtime"
	"strings"
)

// Replace puts a section at the end of a page, instead of the one of the same title that
// is there. The section begins with its title, a line "## …".
func Replace(path, section string) error {
	title, _, _ := strings.Cut(section, "\n")
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, old, _ := strings.Cut(string(page), title+"\n")
	if _, after, found := strings.Cut(old, "\n## "); found {
		before += "## " + after
	}
	return os.WriteFile(path, []byte(strings.TrimRight(before, "\n")+"\n\n"+section), 0o644)
}

// Load is the load of the machine in the last minute, "unknown" where it does not tell.
func Load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(text))[0]
}

// Processor is the name of the machine's processor where it tells.
func Processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

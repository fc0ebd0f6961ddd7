package peers

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/benchpage"
)

// section is what was found, as a section of BENCHMARKS.md.
func section(rows []row, began time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, `## Beside other stores

Made by `+"`make bench-peers`"+` on %s (%d processors, %s; load of the machine at the end: %s): a state of typed messages with tool
calls, from the value in the program to the database's answer and back, by each store as it is without a word of the
caller's, in turns of %v on the same server, medians of %d turns. Below 1, this project takes less time.
%s
What the others do for it differs. Dapr's components are called directly, without the sidecar and the call to it that a
program of Dapr's has; a save overwrites, with a revision for those who ask. The docstore stores a state's fields as an
item's attributes. agents-persistence overwrites the state and adds the name to a set on Redis, over one connection
for all callers. This project counts versions, knows a repeated save by its id, keeps names in order and tells an expired
thread from a live one, in the same round trip.

| database | operation | state | callers | checkpoint | beside | it takes | ratio |
|---|---|---:|---:|---:|---|---:|---:|
`, began.UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), benchpage.Load(), *length, *rounds, versions())
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %d KB | %d | %v | %s | %v | %.2f |\n", r.database, r.operation, r.size>>10, r.callers,
			r.ours.Round(100*time.Nanosecond), r.peer, r.theirs.Round(100*time.Nanosecond), r.ratio())
	}
	fmt.Fprintf(&b, "\nTook %v.\n", time.Since(began).Round(time.Second))
	return b.String()
}

var version = regexp.MustCompile(`(components-contrib|gocloud\.dev|agents-persistence)\b[^0-9\n]*([0-9.]+)`)

// versions names what is measured besides, as the modules and the crate pin it.
func versions() string {
	var found []string
	for _, file := range []string{"others/go.mod", "crate/Cargo.toml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for _, m := range version.FindAllStringSubmatch(string(text), -1) {
			found = append(found, m[1]+" "+m[2])
		}
	}
	return "Versions: " + strings.Join(found, ", ") + ".\n"
}

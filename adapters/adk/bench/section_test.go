package bench

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/benchpage"
)

const title = "## Sessions of ADK, beside its own service"

func section(results []result, began time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, `%s

Made by `+"`make bench`"+` on %s (%d processors, %s; load of the machine at the end: %s) with google.golang.org/adk/v2 v2.2.0: its
`+"`session/database`"+` on GORM v1.31.2, and `+"`adapters/adk`"+`, in turns on the same server, medians of %d. An event has 1 KB of text
and changes the state; a session has %d events, eight at a time have %d each. GORM has ten connections, as the drivers
have; on SQLite it has the same engine, WAL and synchronous=full too, and transactions that are immediate, without which
appends of several sessions fail.

| operation | database | adapters/adk | GORM | times as fast | target | |
|---|---|---:|---:|---:|---:|---|
`, title, began.UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), benchpage.Load(), *rounds, *events, *events/8)
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

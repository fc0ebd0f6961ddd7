// Package bench compares each driver with the bare client beneath it, on real
// servers, and writes BENCHMARKS.md:
//
//	go test ./internal/test/bench -run TestWrite -write -timeout 120m -v
//
// Its flags shorten a run: -parts and -only name what to measure, -length,
// -threads, -versions, -steps and -copies say how much. The page is written after each
// piece, so that an interrupted run keeps what it has, and what a run does not
// measure stays as it is.
//
// Without -write it makes a short run, which shows that the benchmarks work and
// asserts nothing about time.
package bench

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/benchpage"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

var (
	write    = flag.Bool("write", false, "write BENCHMARKS.md, with runs of full length")
	output   = flag.String("output", "../../../BENCHMARKS.md", "the file that -write writes")
	parts    = flag.String("parts", "comparison,log,growth,incremental,scale,copy", "what to measure")
	only     = flag.String("only", "", "measure these drivers alone, such as SQLite,Redis")
	length   = flag.Duration("length", 2*time.Second, "how long each comparison takes")
	threads  = flag.Int("threads", 1_000_000, "threads of the largest store; the others hold a hundredth and a tenth, but 200 at least")
	versions = flag.Int("versions", 10_000, "versions of the long thread, and events of the log")
	steps    = flag.Int("steps", 1000, "steps of the growing conversation")
	copies   = flag.Int("copies", 100_000, "threads of the store that is copied")
)

func TestMain(m *testing.M) { testserver.Main(m) }

func named(list, name string) bool { return slices.Contains(strings.Split(list, ","), name) }

func TestWrite(t *testing.T) {
	if !*write {
		*length, *threads, *versions, *steps, *copies = 10*time.Millisecond, 1000, 50, 20, 200
	}
	p := &page{began: time.Now()}
	// A piece measures one thing of one driver and adds a section to the page.
	piece := func(part, driver string, measure func(t *testing.T) section) {
		t.Run(part+"/"+driver, func(t *testing.T) {
			if !named(*parts, part) || *only != "" && !named(*only, driver) {
				t.Skip("SKIPPED: -parts and -only name others")
			}
			began, load := time.Now(), benchpage.Load()
			s := measure(t)
			s.took, s.load = time.Since(began), load
			p.sections = append(p.sections, s)
			t.Logf("took %v", s.took.Round(time.Second))
			if *write {
				require(t, p.write(*output))
			}
		})
	}
	for _, d := range subjects {
		piece("comparison", d.name, func(t *testing.T) section { return comparison(t, d.open(t, comparing)) })
	}
	piece("comparison", "handle", handle)
	for _, d := range subjects {
		piece("log", d.name, func(t *testing.T) section { return logging(t, d.open(t, comparing)) })
	}
	for _, d := range subjects {
		piece("growth", d.name, func(t *testing.T) section { return growth(t, d.open(t, growing)) })
	}
	for _, d := range subjects {
		piece("incremental", d.name, func(t *testing.T) section {
			if !*write && d.name != "SQLite" {
				t.Skip("SKIPPED: only with -write, for it takes two servers")
			}
			return incremental(t, d.open)
		})
	}
	for _, d := range subjects {
		piece("scale", d.name, func(t *testing.T) section {
			return scale(t, func() *subject { return d.open(t, filling) })
		})
	}
	for _, d := range subjects {
		if d.name != "DynamoDB" { // DynamoDB Local writes one item at a time, whoever asks
			piece("copy", d.name, func(t *testing.T) section {
				return copying(t, func() *subject { return d.open(t, comparing) })
			})
		}
	}
}

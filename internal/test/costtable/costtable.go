// Package costtable reads docs/costs.md, so that the tests that count what an
// operation costs and the page that shows it cannot differ.
package costtable

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A Row is what one operation costs, by the head of the column.
type Row struct {
	Operation string
	Cells     map[string]string
}

// Table returns the first table below a heading of the page, in its order.
func Table(t testing.TB, heading string) []Row {
	t.Helper()
	text, err := os.ReadFile(page(t))
	if err != nil {
		t.Fatal(err)
	}
	_, below, found := strings.Cut("\n"+string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/costs.md has no heading %q", heading)
	}
	below, _, _ = strings.Cut(below, "\n## ")
	var heads []string
	var rows []Row
	for line := range strings.Lines(below) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case heads == nil:
			heads = cells
		case strings.HasPrefix(cells[0], "---"):
		case len(cells) != len(heads):
			t.Fatalf("docs/costs.md: %q has %d cells, want %d", line, len(cells), len(heads))
		default:
			row := Row{Operation: cells[0], Cells: make(map[string]string)}
			for i, cell := range cells {
				row.Cells[heads[i]] = cell
			}
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("docs/costs.md has no table below %q", heading)
	}
	return rows
}

// page finds docs/costs.md from the folder of the test.
func page(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "docs", "costs.md")
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("the test runs outside its module")
		}
		dir = up
	}
}

package terminal

import (
	"io"
	"strings"
)

// A Column of a [Table].
type Column struct {
	Title string
	Right bool // aligned to the right, for numbers
	Flex  bool // may be shortened so that the table fits
}

// A Table aligns rows in columns. It holds back the first rows to find the
// widths of the columns, and writes later ones as they come, so that it may be
// of any length.
type Table struct {
	w       io.Writer
	width   int // of the terminal; 0: nothing is shortened
	style   Style
	columns []Column
	rows    [][]string // held back
	widths  []int      // once they are settled
}

// heldBack is how many rows settle the widths of the columns.
const heldBack = 200

// minFlex is the width below which no column is shortened.
const minFlex = 8

// gap separates two columns.
const gap = "  "

// NewTable returns a table that is at most width columns wide, or as wide as its
// rows when width is 0.
func NewTable(w io.Writer, width int, style Style, columns ...Column) *Table {
	return &Table{w: w, width: width, style: style, columns: columns}
}

// Row adds a row. Cells must be safe to print; see [Quote].
func (t *Table) Row(cells ...string) error {
	if t.widths != nil {
		return t.write(cells)
	}
	t.rows = append(t.rows, cells)
	if len(t.rows) < heldBack {
		return nil
	}
	return t.Flush()
}

// Flush writes what was held back. A table without rows writes nothing.
func (t *Table) Flush() error {
	if t.widths != nil || len(t.rows) == 0 {
		return nil
	}
	t.settle()
	titles := make([]string, len(t.columns))
	for i, c := range t.columns {
		titles[i] = c.Title
	}
	if _, err := io.WriteString(t.w, t.style.Bold(t.line(titles))+"\n"); err != nil {
		return err
	}
	for _, row := range t.rows {
		if err := t.write(row); err != nil {
			return err
		}
	}
	t.rows = nil
	return nil
}

// settle finds the widths: as wide as the cells, and where that is too much for
// the terminal, the widest of the flexible columns gives way.
func (t *Table) settle() {
	t.widths = make([]int, len(t.columns))
	total := len(gap) * (len(t.columns) - 1)
	for i, c := range t.columns {
		t.widths[i] = TextWidth(c.Title)
		for _, row := range t.rows {
			t.widths[i] = max(t.widths[i], TextWidth(row[i]))
		}
		total += t.widths[i]
	}
	for ; t.width > 0 && total > t.width; total-- {
		widest := -1
		for i, c := range t.columns {
			if c.Flex && t.widths[i] > minFlex && (widest < 0 || t.widths[i] > t.widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		t.widths[widest]--
	}
}

func (t *Table) write(cells []string) error {
	_, err := io.WriteString(t.w, t.line(cells)+"\n")
	return err
}

func (t *Table) line(cells []string) string {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteString(gap)
		}
		if t.width > 0 && t.columns[i].Flex {
			cell = Fit(cell, t.widths[i])
		}
		padding := strings.Repeat(" ", max(0, t.widths[i]-TextWidth(cell)))
		if t.columns[i].Right {
			b.WriteString(padding + cell)
		} else {
			b.WriteString(cell + padding)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// Package docs checks the project's pages: nothing stands in them twice, links
// lead somewhere, snippets compile, the command knows the commands and flags
// that they show, and their tables say what the code says.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../.."

// A page is one document of the project.
type page struct {
	name string // from the root, with slashes
	text string
}

// pages returns all documents of the project.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		all = append(all, page{filepath.ToSlash(name), string(text)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d documents, which cannot be all", len(all))
	}
	return all
}

// find returns the document of that name.
func find(t *testing.T, name string) page {
	t.Helper()
	for _, p := range pages(t) {
		if p.name == name {
			return p
		}
	}
	t.Fatalf("there is no document %s", name)
	return page{}
}

// A fence is a block of code in a document.
type fence struct{ language, code string }

var fences = regexp.MustCompile("(?ms)^[ \t]*```(\\w*)[^\n]*\n(.*?)^[ \t]*```[ \t]*$")

// code returns the blocks in the given language.
func (p page) code(language string) []fence {
	var found []fence
	for _, m := range fences.FindAllStringSubmatch(p.text, -1) {
		if m[1] == language {
			found = append(found, fence{m[1], m[2]})
		}
	}
	return found
}

// prose returns the document without its blocks of code.
func (p page) prose() string { return fences.ReplaceAllString(p.text, "") }

var heading = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *#*$`)

// headings returns the texts of the document's headings.
func (p page) headings() []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(p.prose(), -1) {
		all = append(all, m[1])
	}
	return all
}

// A row is a line of a table: its cells without the blanks around them.
type row []string

// tables returns the document's tables, each with its head and without the
// line of dashes.
func (p page) tables() [][]row {
	var all [][]row
	var table []row
	for line := range strings.Lines(p.prose() + "\n") {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if table != nil {
				all = append(all, table)
			}
			table = nil
			continue
		}
		if strings.Trim(line, "|-: ") == "" && strings.Contains(line, "-") {
			continue
		}
		var r row
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			r = append(r, strings.TrimSpace(cell))
		}
		table = append(table, r)
	}
	return all
}

var quoted = regexp.MustCompile("`([^`]+)`")

// terms returns what stands in backquotes in a cell.
func terms(cell string) []string {
	var all []string
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}

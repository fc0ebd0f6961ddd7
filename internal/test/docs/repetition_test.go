package docs

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadmeLength: the README can be read in five minutes.
func TestReadmeLength(t *testing.T) {
	t.Parallel()
	const most = 250
	if n := strings.Count(find(t, "README.md").text, "\n"); n > most {
		t.Errorf("README.md has %d lines, more than %d: put what is for some readers on a page under docs", n, most)
	}
}

// TestRepetition: no heading stands twice in a document, and no paragraph and no
// block of code twice in all of them.
func TestRepetition(t *testing.T) {
	t.Parallel()
	for _, p := range pages(t) {
		seen := map[string]bool{}
		for _, h := range p.headings() {
			if seen[h] && p.name != "CHANGELOG.md" { // in which each version has them
				t.Errorf("%s has the heading %q twice", p.name, h)
			}
			seen[h] = true
		}
	}
	where := map[string]string{}
	for _, p := range pages(t) {
		if strings.HasPrefix(p.name, ".github/") {
			continue
		}
		for _, paragraph := range paragraphs(p.text) {
			if first, ok := where[paragraph]; ok {
				t.Errorf("stands in %s and in %s:\n%s", first, p.name, paragraph)
			}
			where[paragraph] = p.name
		}
	}
}

// paragraphs returns the paragraphs of a document, each on one line, and its
// blocks of code, each as one. Short ones may be said again.
func paragraphs(text string) []string {
	const short = 80
	var all []string
	parts := strings.Split(fences.ReplaceAllString(text, ""), "\n\n")
	for _, m := range fences.FindAllStringSubmatch(text, -1) {
		parts = append(parts, m[2])
	}
	for _, part := range parts {
		if one := strings.Join(strings.Fields(part), " "); len(one) >= short {
			all = append(all, one)
		}
	}
	return all
}

// TestParagraphs: the test above can fail.
func TestParagraphs(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a word ", 20)
	got := paragraphs("# A\n\n" + long + "\n\nshort\n\n" + strings.ReplaceAll(long, "word a", "word\na") + "\n")
	if len(got) != 2 || got[0] != got[1] {
		t.Errorf("got %q, want the same paragraph twice", got)
	}
}

// TestEveryPageIsReached: a reader of the README comes to every page under docs.
func TestEveryPageIsReached(t *testing.T) {
	t.Parallel()
	byName := map[string]page{}
	for _, p := range pages(t) {
		byName[p.name] = p
	}
	reached := map[string]bool{}
	var follow func(name string)
	follow = func(name string) {
		p, ok := byName[name]
		if !ok || reached[name] {
			return
		}
		reached[name] = true
		for _, l := range p.links() {
			if l.file != "" {
				follow(filepath.ToSlash(filepath.Join(filepath.Dir(name), l.file)))
			}
		}
	}
	follow("README.md")
	for name := range byName {
		if strings.HasPrefix(name, "docs/") && !reached[name] {
			t.Errorf("no link leads to %s", name)
		}
	}
}

// TestNoTrailingBlanks: a document ends its lines where their text ends, and
// itself with one line feed.
func TestNoTrailingBlanks(t *testing.T) {
	t.Parallel()
	for _, p := range pages(t) {
		for i, line := range strings.Split(p.text, "\n") {
			if strings.TrimRight(line, " \t\r") != line {
				t.Errorf("%s:%d ends in white space", p.name, i+1)
			}
		}
		if !strings.HasSuffix(p.text, "\n") || strings.HasSuffix(p.text, "\n\n") {
			t.Errorf("%s must end with one line feed", p.name)
		}
	}
}

// TestFindings: a finding is a shell script that can be run and can be read by a
// shell, with its subject in its first comment.
func TestFindings(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob(filepath.Join(root, "findings", "*.sh"))
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		if out, err := exec.Command("bash", "-n", script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(script), err, out)
		}
	}
}

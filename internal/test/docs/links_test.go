package docs

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// A link leads to a file of the project, "" for the same document, and perhaps
// to a heading in it.
type link struct{ file, anchor string }

var target = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// links returns the document's links to files of the project.
func (p page) links() []link {
	var all []link
	for _, m := range target.FindAllStringSubmatch(quoted.ReplaceAllString(p.prose(), ""), -1) {
		if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
			continue
		}
		file, anchor, _ := strings.Cut(m[1], "#")
		all = append(all, link{file, anchor})
	}
	return all
}

// TestLinks: every link to a file of the project leads to a file or folder, and
// every anchor to a heading.
func TestLinks(t *testing.T) {
	t.Parallel()
	anchors := map[string]map[string]bool{}
	all := pages(t)
	for _, p := range all {
		anchors[p.name] = map[string]bool{}
		for _, h := range p.headings() {
			anchors[p.name][anchor(h)] = true
		}
	}
	for _, p := range all {
		for _, l := range p.links() {
			name := p.name
			if l.file != "" {
				name = path.Join(path.Dir(p.name), l.file)
				if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(name))); err != nil {
					t.Errorf("%s links to %s, which is not there", p.name, l.file)
					continue
				}
			}
			if l.anchor != "" && strings.HasSuffix(name, ".md") && !anchors[name][l.anchor] {
				t.Errorf("%s links to #%s of %s, which has no such heading", p.name, l.anchor, name)
			}
		}
	}
}

// anchor returns the anchor that GitHub gives to a heading.
func anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}

func TestAnchor(t *testing.T) {
	t.Parallel()
	for heading, want := range map[string]string{
		"Rotating keys":              "rotating-keys",
		"An agent that survives -9!": "an-agent-that-survives--9",
		"`Update`, and more":         "update-and-more",
	} {
		if got := anchor(heading); got != want {
			t.Errorf("anchor(%q) = %q, want %q", heading, got, want)
		}
	}
}

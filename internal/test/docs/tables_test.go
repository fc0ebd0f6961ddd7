package docs

import (
	"errors"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/driver/dsn"
	_ "github.com/go-ckpt/checkpoint/drivers/dynamodb"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
	_ "github.com/go-ckpt/checkpoint/drivers/postgres"
	_ "github.com/go-ckpt/checkpoint/drivers/redis"
	_ "github.com/go-ckpt/checkpoint/drivers/sqlite"
	_ "github.com/go-ckpt/checkpoint/zstd"
)

// table returns the document's table whose head begins with the given cell.
func (p page) table(t *testing.T, head string) []row {
	t.Helper()
	for _, table := range p.tables() {
		if strings.HasPrefix(table[0][0], head) {
			return table[1:]
		}
	}
	t.Fatalf("%s has no table that begins with %q", p.name, head)
	return nil
}

// TestDriversTable: the README names every driver that is registered and no
// other, and every data source name that it shows is one that Open takes.
func TestDriversTable(t *testing.T) {
	t.Parallel()
	var names []string
	for _, r := range find(t, "README.md").table(t, "import") {
		drivers := terms(r[1])
		names = append(names, drivers...)
		for _, source := range terms(r[2]) {
			if strings.Contains(source, "NAME") || strings.Contains(source, "…") {
				continue // shows a form
			}
			s, err := checkpoint.Open(drivers[0], source)
			if err != nil {
				t.Errorf("the table shows %q for %s: %v", source, drivers[0], err)
				continue
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, checkpoint.Drivers()) {
		t.Errorf("the README's table has\n%q, registered are\n%q", names, checkpoint.Drivers())
	}
}

// TestCommonWords: the README's table of words is what package checkpoint takes
// out of every data source name, and their examples are taken.
func TestCommonWords(t *testing.T) {
	t.Parallel()
	var names []string
	for _, r := range find(t, "README.md").table(t, "word") {
		example := terms(r[0])[0]
		name, _, _ := strings.Cut(example, "=")
		names = append(names, name)
		s, err := checkpoint.Open("memory", "?"+example)
		if err != nil {
			t.Errorf("the table shows %s: %v", example, err)
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, dsn.Common) {
		t.Errorf("the README's table has %q, package checkpoint takes %q", names, dsn.Common)
	}
}

var allowed = regexp.MustCompile(`this driver's words: ([^;]*);`)

// wordsOf returns the words that a driver takes, as its refusal of an unknown
// one lists them.
func wordsOf(t *testing.T, url string) []string {
	t.Helper()
	joint := "?"
	if strings.Contains(url, "?") {
		joint = "&"
	}
	_, err := checkpoint.OpenURL(url + joint + "no_such_word=1")
	if !errors.Is(err, checkpoint.ErrInvalid) {
		t.Fatalf("OpenURL(%s) with an unknown word = %v, want ErrInvalid", url, err)
	}
	m := allowed.FindStringSubmatch(err.Error())
	if m == nil {
		t.Fatalf("the error of an unknown word does not list those that are known: %v", err)
	}
	if m[1] == "none of its own" {
		return nil
	}
	return strings.Split(m[1], ", ")
}

// TestWordTables: the page of each driver has a table of the words that the
// driver takes, all of them and no other.
func TestWordTables(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		page string
		urls []string
	}{
		{"docs/drivers/memory.md", []string{"memory:"}},
		{"docs/drivers/sqlite.md", []string{"sqlite:agents.db"}},
		{"docs/drivers/redis.md", []string{"redis://host", "rediss://host", "redis+sentinel://host?master_name=main", "rediss+cluster://host"}},
		{"docs/drivers/postgres.md", []string{"postgres://host/agents"}},
		{"docs/drivers/dynamodb.md", []string{"dynamodb:agent-checkpoints"}},
	} {
		var known []string
		for _, url := range tt.urls {
			known = append(known, wordsOf(t, url)...)
		}
		slices.Sort(known)
		known = slices.Compact(known)
		if len(known) == 0 {
			continue
		}
		var shown []string
		for _, r := range find(t, tt.page).table(t, "word") {
			shown = append(shown, terms(r[0])...)
		}
		slices.Sort(shown)
		for _, word := range known {
			if !slices.Contains(shown, word) {
				t.Errorf("%s leaves out the word %s", tt.page, word)
			}
		}
		for i, word := range shown {
			if !slices.Contains(known, word) {
				t.Errorf("%s has the word %s, which the driver does not take", tt.page, word)
			}
			if i > 0 && shown[i-1] == word {
				t.Errorf("%s has the word %s twice", tt.page, word)
			}
		}
	}
}

// TestErrorTable: the page of errors has every error of the package.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	var shown []string
	for _, r := range find(t, "docs/errors.md").table(t, "error") {
		shown = append(shown, terms(r[0])...)
	}
	for name, err := range map[string]error{
		"ErrNotFound": driver.ErrNotFound, "ErrConflict": driver.ErrConflict, "ErrClosed": driver.ErrClosed,
		"ErrInvalid": driver.ErrInvalid, "ErrTooLarge": driver.ErrTooLarge, "ErrUnavailable": driver.ErrUnavailable,
		"ErrCorrupt": driver.ErrCorrupt, "ErrUnknownDriver": checkpoint.ErrUnknownDriver,
	} {
		if err == nil || !slices.Contains(shown, name) {
			t.Errorf("docs/errors.md leaves out %s", name)
		}
	}
}

// TestMap: the map of the project names every package.
func TestMap(t *testing.T) {
	t.Parallel()
	text := find(t, "docs/map.md").text
	out, err := exec.Command("go", "list", "-C", root, "-f", "{{.ImportPath}}", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 20 {
		t.Fatalf("found %d packages, which cannot be all", len(packages))
	}
	for _, dir := range packages {
		name := path.Base(dir)
		switch {
		case strings.Contains(dir, "/internal/cli/"), strings.Contains(dir, "/internal/test/testserver/"), strings.Contains(dir, "/examples/"):
			continue // one entry for all of them
		case !strings.Contains(text, name):
			t.Errorf("docs/map.md does not name the package %s", dir)
		}
	}
}

package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAdapterSnippets: what the README shows of the adapters stands in the files
// readme_test.go of their modules, which compile them: the module here does not have
// their frameworks.
func TestAdapterSnippets(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "adapters", "*", "readme_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	compiled := ""
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		compiled += trimmed(string(text))
	}
	shown := 0
	for _, f := range find(t, "README.md").code("golang") {
		for snippet := range strings.SplitSeq(f.code, "\n\n") {
			shown++
			if !strings.Contains(compiled, trimmed(snippet)) {
				t.Errorf("no readme_test.go of an adapter has these lines:\n%s", snippet)
			}
		}
	}
	if shown != len(files) {
		t.Errorf("the README shows %d adapters, and %d have a readme_test.go", shown, len(files))
	}
}

// trimmed returns the text without what its lines begin and end with.
func trimmed(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

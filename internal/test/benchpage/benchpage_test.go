package benchpage

import (
	"os"
	"path/filepath"
	"testing"
)

// TestReplace: whatever sections are there, this one is at the end, once.
func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	const mine = "## Mine\n\ntext\n"
	for _, before := range []string{"# B\n\n## X\n\nx\n", "# B\n\n## X\n\nx\n\n" + mine, "# B\n\n" + mine + "\n## X\n\nx\n"} {
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Replace(path, mine); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if want := "# B\n\n## X\n\nx\n\n" + mine; err != nil || string(got) != want {
			t.Errorf("%q becomes %q, %v; want %q", before, got, err, want)
		}
	}
}

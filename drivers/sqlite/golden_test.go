package sqlite_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/golden"
)

// The golden sets as the versions of the layout hold them, compressed. Each is
// written once, by "go test -run TestGolden/2 -write-golden", and never again: a
// later version of the driver must go on from it.
var goldenSets = []struct {
	name  string
	write func(context.Context, driver.Backend) error
	check func(testing.TB, driver.Backend)
}{
	{"1", golden.Write, golden.Check},
	{"2", golden.WriteChains, golden.CheckChains}, // with a table of chains
}

var writeGolden = flag.Bool("write-golden", false, "write the file of a golden set")

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, set := range goldenSets {
		t.Run(set.name, func(t *testing.T) {
			t.Parallel()
			goldenFile := "testdata/golden-" + set.name + ".db.gz"
			file := filepath.Join(t.TempDir(), "agents.db")
			if *writeGolden {
				writeGoldenFile(t, set.write, file, goldenFile)
			}
			unpackGolden(t, goldenFile, file)
			b := open(t, file)
			set.check(t, b)
			checkIntegrity(t, file)
		})
	}
}

// TestGoldenGoesOnWithChains saves patches into a file of the first layout.
func TestGoldenGoesOnWithChains(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	unpackGolden(t, "testdata/golden-1.db.gz", file)
	db := given(t, "file:"+file, 1)
	if _, err := db.Exec("DELETE FROM agent_checkpoints"); err != nil {
		t.Fatal(err)
	}
	b := open(t, file)
	if err := golden.WriteChains(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	golden.CheckChains(t, b)
}

func unpackGolden(t *testing.T, goldenFile, file string) {
	t.Helper()
	f, err := os.Open(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func writeGoldenFile(t *testing.T, write func(context.Context, driver.Backend) error, file, goldenFile string) {
	t.Helper()
	b := open(t, file)
	if err := write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var compressed bytes.Buffer
	z, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(content)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(goldenFile, compressed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

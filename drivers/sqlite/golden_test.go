package sqlite_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/test/golden"
)

// The golden set as the first version of the schema holds it, compressed. It is
// written once, by "go test -run TestGolden -write-golden", and never again: a
// later version of the driver must go on from it.
const goldenFile = "testdata/golden-1.db.gz"

var writeGolden = flag.Bool("write-golden", false, "write "+goldenFile)

func TestGolden(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	if *writeGolden {
		writeGoldenFile(t, file)
	}
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
	golden.Check(t, open(t, file))
	checkIntegrity(t, file)
}

func writeGoldenFile(t *testing.T, file string) {
	t.Helper()
	b := open(t, file)
	if err := golden.Write(t.Context(), b); err != nil {
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

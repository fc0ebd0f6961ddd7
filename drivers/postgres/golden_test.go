package postgres

import (
	"bytes"
	"compress/gzip"
	"flag"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/test/golden"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// The golden set as the first version of the schema holds it, dumped with
//
//	pg_dump --inserts --no-owner
//
// and compressed. It is written once, by "go test -run TestGolden -write-golden",
// and never again: a later version of the driver must go on from it.
const goldenFile = "testdata/golden-1.sql.gz"

var writeGolden = flag.Bool("write-golden", false, "write "+goldenFile+" (with pg_dump on the PATH)")

func TestGolden(t *testing.T) {
	t.Parallel()
	if *writeGolden {
		dsn := testserver.Postgres(t)
		if err := golden.Write(t.Context(), open(t, dsn)); err != nil {
			t.Fatal(err)
		}
		dump, err := exec.CommandContext(t.Context(), "pg_dump", "--inserts", "--no-owner", dsn).Output()
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		z.Write(dump)
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(goldenFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
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
	dump, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for line := range strings.Lines(string(dump)) {
		if !strings.HasPrefix(line, `\`) { // psql's own commands
			script.WriteString(line)
		}
	}
	dsn := testserver.Postgres(t)
	mustExec(t, plain(t, dsn), script.String())
	// The function of that release is left to it; this one's is added.
	golden.Check(t, open(t, dsn))
}

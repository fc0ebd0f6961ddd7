package postgres

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/test/golden"
	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// The golden sets as the versions of the layout hold them, dumped with
//
//	pg_dump --inserts --no-owner
//
// and compressed. Each is written once, by "go test -run TestGolden/2 -write-golden",
// and never again: a later version of the driver must go on from it.
var goldenSets = []struct {
	name  string
	write func(context.Context, driver.Backend) error
	check func(testing.TB, driver.Backend)
}{
	{"1", golden.Write, golden.Check},
	{"2", golden.WriteChains, golden.CheckChains}, // with a table of chains
}

var writeGolden = flag.Bool("write-golden", false, "write the file of a golden set (with pg_dump on the PATH)")

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, set := range goldenSets {
		t.Run(set.name, func(t *testing.T) {
			t.Parallel()
			file := "testdata/golden-" + set.name + ".sql.gz"
			if *writeGolden {
				writeGoldenFile(t, set.write, file)
			}
			dsn := testserver.Postgres(t)
			mustExec(t, plain(t, dsn), readGolden(t, file))
			// The function of that release is left to it; this one's is added.
			set.check(t, open(t, dsn))
		})
	}
}

func writeGoldenFile(t *testing.T, write func(context.Context, driver.Backend) error, file string) {
	t.Helper()
	dsn := testserver.Postgres(t)
	if err := write(t.Context(), open(t, dsn)); err != nil {
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
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// readGolden returns the SQL of a golden file.
func readGolden(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
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
	return script.String()
}

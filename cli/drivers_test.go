package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint"
	"github.com/go-ckpt/checkpoint/cli"
	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/drivers/memory"
)

// TestLinksNoClient: what the command's package links are its own tools, and no
// database's client.
func TestLinksNoClient(t *testing.T) {
	t.Parallel()
	list, err := exec.Command("go", "list", "-deps", "-f", "{{if .Module}}{{.ImportPath}}{{end}}", "github.com/go-ckpt/checkpoint/cli").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := []string{"github.com/go-ckpt/checkpoint", "github.com/spf13/", "github.com/schollz/progressbar", "github.com/rivo/uniseg", "github.com/mitchellh/colorstring", "golang.org/x/term", "golang.org/x/sys", "github.com/google/go-cmp"} // the last one through verify's suite
	for path := range strings.FieldsSeq(string(list)) {
		known := false
		for _, a := range allowed {
			known = known || strings.HasPrefix(path, a)
		}
		if !known || strings.HasPrefix(path, "github.com/go-ckpt/checkpoint/drivers/") {
			t.Errorf("package cli links %s", path)
		}
	}
}

// A fileDriver keeps its data in a file, which Ping makes.
type fileDriver struct{}

type fileBackend struct {
	driver.Backend
	path string
}

func (fileDriver) Open(dsn string) (driver.Backend, error) {
	return fileBackend{memory.New(), strings.TrimPrefix(dsn, "boxes:")}, nil
}

func (fileDriver) ExampleDSN(name string) string { return name + ":agents.box" }

func (b fileBackend) Location() driver.Location { return driver.Location{File: b.path} }

func init() { checkpoint.Register("boxes", fileDriver{}) }

// TestMistypedFile: no driver's file is made by a command that only looks.
func TestMistypedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "boxes.dat")
	for _, args := range [][]string{{"list"}, {"load", "a"}, {"stat", "a"}, {"ping"}, {"purge"}, {"delete", "a"}} {
		var out, errors strings.Builder
		status := cli.Run(t.Context(), append(args, "--store", "boxes:"+path), strings.NewReader(""), &out, &errors)
		if status != 1 || !strings.Contains(errors.String(), "boxes.dat") || !strings.Contains(errors.String(), "does not exist") {
			t.Errorf("%q: exit status %d and %q, want 1 and that the file does not exist", args, status, &errors)
		}
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errors strings.Builder
	if status := cli.Run(t.Context(), []string{"list", "--store", "boxes:" + path}, strings.NewReader(""), &out, &errors); status != 0 {
		t.Errorf("list of a file that is there: exit status %d and %q", status, &errors)
	}
}

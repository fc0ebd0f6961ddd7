package docs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/cli/exportfile"
)

// TestExportExample reads the example of the export's format.
func TestExportExample(t *testing.T) {
	t.Parallel()
	examples := find(t, "docs/export.md").code("jsonl")
	if len(examples) != 1 {
		t.Fatalf("the page has %d examples of the format, want 1", len(examples))
	}
	r, err := exportfile.NewReader(strings.NewReader(examples[0].code), 1<<10)
	for err == nil {
		_, err = r.Next()
	}
	if err != io.EOF {
		t.Error(err)
	}
}

// A snippet that is no file of its own stands in a function with what a reader
// would have at hand.
const (
	imports = `package main

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"expvar"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/go-ckpt/checkpoint"
	_ "github.com/go-ckpt/checkpoint/drivers/memory"
	"github.com/go-ckpt/checkpoint/lease"
)

var (
	_ = base64.StdEncoding
	_ = errors.Is
	_ = expvar.Publish
	_ = fmt.Sprint
	_ = log.Print
	_ = slog.Info
	_ = os.Getenv
	_ = time.Hour
	_ *sql.DB
	_ lease.Options
)

type State struct {
	Messages []string
	Step     int
}

func unseal(context.Context, []byte) ([]byte, error) { return nil, nil }

func main() {}

`
	function = `func snippet(ctx context.Context, store *checkpoint.Store, state State, db *sql.DB, sealed []byte) error {
	var err error
	{
%s
	}
	return err
}
`
)

// TestSnippets compiles every Go snippet of every document: each is a package of
// one module, so that one call of the compiler sees them all.
func TestSnippets(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: compiling the pages' snippets takes seconds, and -short is set")
	}
	t.Parallel()
	dir := module(t)
	sources := map[string]string{} // by folder
	for _, p := range pages(t) {
		for i, f := range p.code("go") {
			folder := fmt.Sprintf("%s_%d", strings.NewReplacer("/", "_", ".md", "").Replace(p.name), i+1)
			name, source := file(f.code)
			sources[folder] = source
			write(t, filepath.Join(dir, folder, name), source)
		}
	}
	if len(sources) < 10 {
		t.Fatalf("found %d snippets, fewer than there are", len(sources))
	}
	cmd := exec.Command("go", "vet", "-mod=mod", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return
	}
	t.Errorf("snippets do not compile: %v\n%s", err, out)
	for folder, source := range sources {
		if bytes.Contains(out, []byte(folder+string(filepath.Separator))) {
			t.Logf("%s:\n%s", folder, source)
		}
	}
}

// module makes a module that uses this one as it is here, with its dependencies.
func module(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(mod), "module github.com/go-ckpt/checkpoint", "module snippets.example", 1)
	text += fmt.Sprintf("\nrequire github.com/go-ckpt/checkpoint v0.0.0\n\nreplace github.com/go-ckpt/checkpoint => %s\n", here)
	write(t, filepath.Join(dir, "go.mod"), text)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "go.sum"), string(sum))
	return dir
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

var declared = regexp.MustCompile(`(?m)^(\w+(?:, \w+)*) :=`)

// file makes a file of a snippet. What a snippet leaves unused, as a page may,
// is used for it.
func file(snippet string) (name, source string) {
	switch {
	case strings.HasPrefix(snippet, "package ") && strings.Contains(snippet, "\"testing\""):
		return "snippet_test.go", snippet
	case strings.HasPrefix(snippet, "package "):
		return "snippet.go", snippet
	case strings.HasPrefix(snippet, "import "), strings.HasPrefix(snippet, "func "):
		return "snippet.go", "package main\n\n" + snippet + "\nfunc main() {}\n"
	}
	body := snippet
	for _, m := range declared.FindAllStringSubmatch(snippet, -1) {
		for variable := range strings.SplitSeq(m[1], ", ") {
			if variable != "_" {
				body += "\n_ = " + variable
			}
		}
	}
	return "snippet.go", imports + fmt.Sprintf(function, body)
}

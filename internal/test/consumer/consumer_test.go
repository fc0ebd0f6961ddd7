package consumer

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module   = "github.com/go-ckpt/checkpoint"
	consumer = "consumer.example"

	// comparer shows differences in the conformance suite, which the tests of a
	// driver run. A program that only uses a driver does not see it: the drivers'
	// own conformance tests stand in internal/test/conformance.
	comparer = "github.com/google/go-cmp"
)

// TestDependencies builds a program that imports the root package and one other
// package, as a user does: in a module of its own, with go mod tidy.
//
// A module stands for those below it too. What is linked becomes part of the
// program; what is listed stands in its go.sum beside that, because tests of
// the linked packages use it.
func TestDependencies(t *testing.T) {
	t.Parallel()
	tests := []struct {
		imported string
		linked   []string
		listed   []string
	}{
		{imported: "driver"},
		{imported: "checkpointtest", linked: []string{comparer}},
		{imported: "drivers/memory"},
		{
			imported: "drivers/sqlite",
			linked: []string{
				"modernc.org",
				"github.com/dustin/go-humanize",
				"github.com/google/uuid",
				"github.com/mattn/go-isatty",
				"github.com/ncruces/go-strftime",
				"github.com/remyoudompheng/bigfft",
				"golang.org/x/sys",
			},
			listed: []string{
				"github.com/google/pprof",
				"github.com/hashicorp/golang-lru/v2",
				"golang.org/x/mod",
				"golang.org/x/sync",
				"golang.org/x/tools",
			},
		},
		{
			imported: "drivers/redis",
			linked: []string{
				"github.com/redis/go-redis/v9",
				"github.com/cespare/xxhash/v2",
				"go.uber.org/atomic",
				"golang.org/x/sys",
			},
			listed: []string{
				"github.com/bsm/ginkgo/v2",
				"github.com/bsm/gomega",
				"github.com/klauspost/cpuid/v2",
				"github.com/stretchr/testify",
				"github.com/zeebo/xxh3",
				"go.yaml.in/yaml/v3",
			},
		},
		{imported: "drivers/postgres", linked: []string{"github.com/lib/pq"}},
		{
			imported: "drivers/dynamodb",
			linked:   []string{"github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go"},
		},
		{imported: "zstd", linked: []string{"github.com/klauspost/compress"}},
	}
	for _, test := range tests {
		t.Run(test.imported, func(t *testing.T) {
			t.Parallel()
			dir := newConsumer(t, test.imported)
			tidy(t, dir)
			run(t, dir, "build", "-o", filepath.Join(dir, "program"), ".")

			linked := strings.Fields(run(t, dir, "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "."))
			checkModules(t, "linked", linked, test.linked)
			if len(test.linked) > 0 && !slices.ContainsFunc(linked, func(path string) bool { return below(path, test.linked[0]) }) {
				t.Errorf("linked: got %q, want %s among them", linked, test.linked[0])
			}
			checkModules(t, "go.sum", listedModules(t, dir), slices.Concat(test.linked, test.listed))
		})
	}
}

// newConsumer writes a module with a program that imports this checkout.
func newConsumer(t *testing.T, imported string) (dir string) {
	t.Helper()
	checkout, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	readFolders(t, checkout)
	dir = t.TempDir()
	for name, text := range map[string]string{
		"go.mod": fmt.Sprintf("module %s\n\ngo 1.26\n\nrequire %s v0.0.0\n\nreplace %s => %q\n",
			consumer, module, module, checkout),
		"main.go": fmt.Sprintf("package main\n\nimport (\n\t%q\n\t_ %q\n)\n\nfunc main() { println(len(checkpoint.Drivers())) }\n",
			module, module+"/"+imported),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// readFolders reads the list of every folder's files. go test repeats a stored
// result unless something changed that the test itself has read; what the go
// commands it runs have read does not count.
func readFolders(t *testing.T, checkout string) {
	t.Helper()
	err := filepath.WalkDir(checkout, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tidy runs go mod tidy without the network when the module cache has all it
// needs. That includes what the tests of dependencies import, which nothing but
// this command downloads.
func tidy(t *testing.T, dir string) {
	t.Helper()
	offline := goCommand(dir, "mod", "tidy")
	offline.Env = append(offline.Env, "GOPROXY=off", "GOSUMDB=off")
	if offline.Run() == nil {
		return
	}
	if text, err := goCommand(dir, "mod", "tidy").CombinedOutput(); err != nil {
		const why = "NOT TESTED: go mod tidy needs modules that are neither in the module cache nor could be downloaded: %v\n%s"
		if os.Getenv("CI") == "true" || os.Getenv("CHECKPOINT_TEST_REQUIRE") == "1" {
			t.Fatalf(why, err, text)
		}
		t.Skipf(why, err, text)
	}
}

// goCommand is a go command that sees the consumer's module and no setting of
// the checkout's.
func goCommand(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "PWD="+dir)
	return cmd
}

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	text, err := goCommand(dir, args...).Output()
	if exit, ok := err.(*exec.ExitError); ok {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// listedModules are the modules in the consumer's go.sum. There is none when
// nothing needs one.
func listedModules(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var modules []string
	for line := range strings.Lines(string(text)) {
		path, _, _ := strings.Cut(line, " ")
		modules = append(modules, path)
	}
	return modules
}

// checkModules reports those of got that are not allowed.
func checkModules(t *testing.T, what string, got, allowed []string) {
	t.Helper()
	slices.Sort(got)
	for _, path := range slices.Compact(got) {
		if path == module || path == consumer {
			continue
		}
		if !slices.ContainsFunc(allowed, func(root string) bool { return below(path, root) }) {
			t.Errorf("%s: got %s, want only %q", what, path, allowed)
		}
	}
}

// below reports whether a module is root or stands below it.
func below(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

package docs

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// withoutExample has what needs no example, by package and name, with the reason.
var withoutExample = map[string]string{
	".Error.Error":                     "called by whoever prints an error",
	".Error.Unwrap":                    "called by errors.Is",
	".Keyring.Current":                 "called by Rekey",
	".Keyring.Encrypt":                 "called by Save",
	".Keyring.Decrypt":                 "called by Load",
	".Keyring.Format":                  "called by package fmt",
	".Store.Format":                    "called by package fmt",
	".Version.Format":                  "called by package fmt",
	".WithCompression":                 "the root's tests import no compressor: package zstd has it",
	".Store.Whole":                     "for programs that move checkpoints as they are stored; the command's export has it",
	"lease.HeldError.Error":            "called by whoever prints an error",
	"lease.HeldError.Is":               "called by errors.Is",
	"checkpointtest.Run":               "needs a *testing.T: docs/writing-a-driver.md has it, and TestSnippets compiles it",
	"checkpointtest.RunDriver":         "needs a *testing.T, as Run",
	"checkpointtest.Benchmark":         "needs a *testing.B, as Run",
	"checkpointtest.Unreachable":       "needs a testing.TB, as Run",
	"checkpointtest.StoredPayloads":    "needs a function that looks into a database: the drivers' conformance tests have it",
	"checkpointtest.Report.OK":         "in the example of Verify",
	"checkpointtest.Report.String":     "called by package fmt",
	"checkpointtest.Result.Brief":      "what Report.String has of a case",
	"takeover/agentspersistence.Redis": "needs a server: docs/copying.md has it, and TestTakeover runs it",
}

// TestExamples: each function and method that a user calls has an example with an
// output, or a reason to have none.
func TestExamples(t *testing.T) {
	t.Parallel()
	excused := map[string]bool{}
	for _, folder := range []string{"", "lease", "takeover", "takeover/agentspersistence", "zstd", "otelcheckpoint", "checkpointtest"} {
		names, examples := functionsAndExamples(t, folder)
		for _, name := range names {
			full := folder + "." + name
			_, excuse := withoutExample[full]
			excused[full] = excuse
			if !excuse && !slices.Contains(examples, strings.Replace(name, ".", "_", 1)) {
				t.Errorf("%s of package %q has no example with an output", name, folder)
			}
		}
		if len(examples) == 0 && folder != "takeover/agentspersistence" {
			t.Errorf("package %q has no example", folder)
		}
	}
	for name := range withoutExample {
		if !excused[name] {
			t.Errorf("%s is excused from having an example, and is not there", name)
		}
	}
}

// functionsAndExamples returns what a package exports to be called, methods as
// Type.Method, and the names of its examples that are run, without suffixes.
func functionsAndExamples(t *testing.T, folder string) (names, examples []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, folder))
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files, tests []*ast.File
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".go" {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(root, folder, e.Name()), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.Name(), "_test.go") {
			tests = append(tests, f)
		} else {
			files = append(files, f)
		}
	}
	p, err := doc.NewFromFiles(fset, files, folder)
	if err != nil {
		t.Fatal(err)
	}
	add := func(all []*doc.Func, of string) {
		for _, f := range all {
			names = append(names, of+f.Name)
		}
	}
	add(p.Funcs, "")
	for _, typ := range p.Types {
		add(typ.Funcs, "")
		add(typ.Methods, typ.Name+".")
	}
	for _, e := range doc.Examples(tests...) {
		if e.Output != "" {
			examples = append(examples, e.Name)
		}
	}
	return names, examples
}

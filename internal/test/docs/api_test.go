package docs

import (
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var writeAPI = flag.Bool("write-api", false, "write docs/api.txt anew")

// TestAPI compares what the module exports with docs/api.txt, a line each. A change of
// it is one that users see: CHANGELOG.md has to say so before the list is written anew.
func TestAPI(t *testing.T) {
	t.Parallel()
	const list = "docs/api.txt"
	got := exported(t)
	if *writeAPI {
		if err := os.WriteFile(filepath.Join(root, list), []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	recorded, err := os.ReadFile(filepath.Join(root, list))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(recorded)), "\n")
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("no longer exported: %s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("new: %s", line)
		}
	}
	if t.Failed() {
		t.Errorf("say it in CHANGELOG.md, then run: go test ./internal/test/docs -run TestAPI -write-api")
	}
}

// exported lists what packages of the module export that others can import.
func exported(t *testing.T) []string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if name != "." {
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
				return fs.SkipDir // a module of its own
			}
		}
		switch base := filepath.Base(path); {
		case name != "." && strings.HasPrefix(base, "."), base == "internal", base == "testdata", name == "cmd", name == "examples":
			return fs.SkipDir
		}
		lines = append(lines, exportedBy(t, path, filepath.ToSlash(name))...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func exportedBy(t *testing.T, folder, name string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(folder, e.Name()), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil
	}
	p, err := doc.NewFromFiles(fset, files, name)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	add := func(node any) {
		var b strings.Builder
		if err := printer.Fprint(&b, fset, node); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, p.Name+" ("+name+"): "+strings.Join(strings.Fields(b.String()), " "))
	}
	funcs := func(all []*doc.Func) {
		for _, f := range all {
			add(f.Decl)
		}
	}
	values := func(all []*doc.Value) {
		for _, v := range all {
			for _, n := range v.Names {
				if token.IsExported(n) {
					lines = append(lines, fmt.Sprintf("%s (%s): %s %s", p.Name, name, v.Decl.Tok, n))
				}
			}
		}
	}
	values(p.Consts)
	values(p.Vars)
	funcs(p.Funcs)
	for _, typ := range p.Types {
		add(typ.Decl)
		values(typ.Consts)
		values(typ.Vars)
		funcs(typ.Funcs)
		funcs(typ.Methods)
	}
	slices.Sort(lines)
	return lines
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const passes = `{"case":"Raw/A","rule":1,"outcome":"passed"}
{"case":"Raw/B","rule":2,"outcome":"unsupported"}
{"case":"Store/C","rule":3,"outcome":"passed"}
{"case":"Program/D","rule":4,"outcome":"passed"}
`

// TestPage: the page tells what came of each server, and comparing with it finds what
// it does not tell.
func TestPage(t *testing.T) {
	t.Parallel()
	const late = passes + `{"case":"Raw/F","rule":7,"outcome":"unfinished"}` + "\n"
	const silent = passes + `{"case":"Raw/F","rule":7,"outcome":"failed","reason":"Save: the server does not answer\n\tthe calls"}` + "\n"
	const failsB = passes + `{"case":"Raw/E","rule":7,"outcome":"failed","reason":"lost"}` + "\n"
	for _, test := range []struct {
		name    string
		written map[string]string // results by server; "" is one that was not obtained
		ran     map[string]string
		line    string // what the page has
		ok      bool   // what writing reports
		holds   bool   // what comparing reports
	}{
		{"passes", map[string]string{"valkey": passes}, map[string]string{"valkey": passes}, "| Valkey 9 | 1.2 | npm a | 3 of 3 | nothing |", true, true},
		{"fails", map[string]string{"valkey": failsB}, map[string]string{"valkey": failsB}, "3 of 4 | **rule 7** `Raw/E`: not explained", false, false},
		{"late", map[string]string{"valkey": late}, map[string]string{"valkey": late}, "3 of 4 | 1 of the cases of **rule 7** did not end", false, false},
		{"no answer", map[string]string{"moto": silent}, map[string]string{"moto": silent}, "3 of 4 | 1 of the cases of **rule 7** did not end, ", true, true},
		{"no answer of a database", map[string]string{"valkey": silent}, map[string]string{"valkey": silent}, "3 of 4 | 1 of the cases", false, false},
		{"late since", map[string]string{"moto": passes}, map[string]string{"moto": late}, "3 of 3", true, false},
		{"late as known", map[string]string{"moto": late}, map[string]string{"moto": late}, "3 of 4 | 1 of the cases of **rule 7** did not end, for want of an answer in time: ", true, true},
		{"fails since", map[string]string{"valkey": passes}, map[string]string{"valkey": failsB}, "3 of 3", true, false},
		{"not obtained", map[string]string{"valkey": ""}, map[string]string{"valkey": passes}, "not obtained | not run", false, false},
		{"not obtained now", map[string]string{"valkey": passes}, map[string]string{"valkey": ""}, "3 of 3", true, false},
		{"not on the page", map[string]string{"redis-8": passes}, map[string]string{"valkey": passes}, "", true, false},
		{"did not run to the end", map[string]string{"valkey": passes}, map[string]string{"valkey": strings.Split(passes, "\n")[0]}, "3 of 3", true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := filepath.Join(t.TempDir(), "page.md")
			if err := os.WriteFile(page, []byte("# Title\n\nAs written by hand.\n\n## Old\n\n| a | b |\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			ok, err := write(page, folder(t, test.written))
			if err != nil || ok != test.ok {
				t.Errorf("writing: got %v, %v, want %v", ok, err, test.ok)
			}
			text, err := os.ReadFile(page)
			if err != nil || !strings.HasPrefix(string(text), "# Title\n\nAs written by hand.\n\n## "+database) || !strings.Contains(string(text), test.line) {
				t.Errorf("got %v, and a page without %q:\n%s", err, test.line, text)
			}
			if holds, err := compare(page, folder(t, test.ran)); err != nil || holds != test.holds {
				t.Errorf("comparing: got %v, %v, want %v", holds, err, test.holds)
			}
		})
	}
}

// TestKeptLines: a server that did not run keeps its line.
func TestKeptLines(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("# Title\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"valkey", "moto", "redis-8"} {
		if _, err := write(page, folder(t, map[string]string{name: passes})); err != nil {
			t.Fatal(err)
		}
	}
	_, lines, err := readPage(page)
	if err != nil || lines["Valkey 9"] == "" || lines["moto"] == "" || lines["Redis 8"] == "" {
		t.Errorf("got %v, %q", err, lines)
	}
}

// folder has results as scripts/certify.sh leaves them.
func folder(t *testing.T, results map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range results {
		files := map[string]string{"about": "1.2\nnpm a\n", "results": text}
		if text == "" {
			files = map[string]string{"missing": "npm a\n"}
		}
		for file, text := range files {
			full := filepath.Join(dir, name, file)
			if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// TestKnownServers: what scripts/certify.sh can be asked for is described, and no more.
func TestKnownServers(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("../../../scripts/certify.sh")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(script), "readonly short=(")
	text, _, _ = strings.Cut(text, "\n\nusage")
	named := map[string]bool{}
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \n\t()=", r) }) {
		named[word] = true
	}
	for _, s := range servers {
		if !named[s.name] {
			t.Errorf("scripts/certify.sh does not start %s", s.name)
		}
		delete(named, s.name)
	}
	for word := range named {
		if word != "readonly" && word != "all" && !strings.HasPrefix(word, `"$`) && !strings.HasPrefix(word, `"${`) {
			t.Errorf("%s is not described", word)
		}
	}
}

package terminal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-ckpt/checkpoint/internal/cli/terminal"
)

func TestQuote(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{"user-123", "user-123"},
		{"a b", "a b"},
		{"héllo 世界 🙂", "héllo 世界 🙂"},
		{"50%*{}#:'", "50%*{}#:'"},
		{"", `""`},
		{" a", `" a"`},
		{"a\nb", `"a\nb"`},
		{"\x1b[31mred", `"\x1b[31mred"`},
		{"c1\u009b31m", `"c1\u009b31m"`},
		{"right\u202eleft", `"right\u202eleft"`},
		{"zero\u200bwidth", `"zero\u200bwidth"`},
		{"bad\xff", `"bad\xff"`},
		{`"quoted"`, `"\"quoted\""`},
		{"\ufffd", "\ufffd"},
	} {
		if got := terminal.Quote(test.in); got != test.want {
			t.Errorf("Quote(%q) = %s, want %s", test.in, got, test.want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"a \"plain\" \\ text\nof two lines\n", "a \"plain\" \\ text\nof two lines\n"},
		{"first\nsay \"\\\x1b[31mred\u009b\"\nlast", "first\nsay \"\\\\x1b[31mred\\u009b\"\nlast"},
		{"return\rover", "return\\rover"},
		{"bad\xff", "bad\\xff"},
	} {
		if got := terminal.Text(test.in); got != test.want {
			t.Errorf("Text(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestJSONStaysTheSameValue(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{`{"a": "plain"}`, `{"a": "plain"}`},
		{"{\n\t\"a\": 1\n}", "{\n\t\"a\": 1\n}"},
		{"\"\u009b31m\u202e\"", `"\u009b31m\u202e"`},
		{"\"\U000e0001\"", `"\udb40\udc01"`},
	} {
		got := string(terminal.JSON([]byte(test.in)))
		if got != test.want {
			t.Errorf("JSON(%q) = %q, want %q", test.in, got, test.want)
		}
		var a, b any
		if json.Unmarshal([]byte(got), &a) != nil || json.Unmarshal([]byte(test.in), &b) != nil || fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("JSON(%q) = %q is another value", test.in, got)
		}
	}
}

func TestFit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in    string
		width int
		want  string
	}{
		{"short", 5, "short"},
		{"longer", 5, "long…"},
		{"世界世界", 8, "世界世界"},
		{"世界世界", 7, "世界世…"},
		{"世界世界", 6, "世界…"},
		{"👩‍👩‍👧👩‍👩‍👧", 3, "👩‍👩‍👧…"},
		{"e\u0301e\u0301e\u0301", 2, "e\u0301…"},
		{"abc", 1, "…"},
		{"abc", 0, ""},
	} {
		if got := terminal.Fit(test.in, test.width); got != test.want {
			t.Errorf("Fit(%q, %d) = %q, want %q", test.in, test.width, got, test.want)
		}
	}
}

func TestTableFits(t *testing.T) {
	t.Parallel()
	columns := []terminal.Column{{Title: "THREAD", Flex: true}, {Title: "SIZE", Right: true}, {Title: "SAVED"}}
	rows := [][]string{{"a", "1 B", "now"}, {"世界" + strings.Repeat("x", 40), "12345 B", "then"}}
	for _, test := range []struct {
		width int
		want  string
	}{
		{0, "" +
			"THREAD" + strings.Repeat(" ", 43) + "SIZE  SAVED\n" +
			"a" + strings.Repeat(" ", 49) + "1 B  now\n" +
			"世界" + strings.Repeat("x", 40) + "  12345 B  then\n"},
		{30, "" +
			"THREAD" + strings.Repeat(" ", 13) + "SIZE  SAVED\n" +
			"a" + strings.Repeat(" ", 19) + "1 B  now\n" +
			"世界xxxxxxxxx…  12345 B  then\n"},
	} {
		var got bytes.Buffer
		table := terminal.NewTable(&got, test.width, terminal.Style{}, columns...)
		for _, row := range rows {
			if err := table.Row(row...); err != nil {
				t.Fatal(err)
			}
		}
		if err := table.Flush(); err != nil {
			t.Fatal(err)
		}
		if got.String() != test.want {
			t.Errorf("width %d: got\n%s\nwant\n%s", test.width, got.String(), test.want)
		}
		for line := range strings.Lines(got.String()) {
			if n := terminal.TextWidth(strings.TrimSuffix(line, "\n")); test.width > 0 && n > test.width {
				t.Errorf("width %d: line of %d columns: %q", test.width, n, line)
			}
		}
	}
}

// TestTableStreams shows that a long table does not wait for its end.
func TestTableStreams(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	table := terminal.NewTable(&got, 20, terminal.Style{}, terminal.Column{Title: "N", Flex: true})
	for i := range 1000 {
		if err := table.Row(fmt.Sprintf("%030d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := strings.Count(got.String(), "\n"), 1001; got != want {
		t.Errorf("%d lines before Flush, want %d", got, want)
	}
}

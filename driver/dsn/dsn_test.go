package dsn_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/driver/dsn"
)

func parse(t *testing.T, query string) *dsn.Words {
	t.Helper()
	words, err := dsn.Parse(query)
	if err != nil {
		t.Fatal(err)
	}
	return words
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ dsn, base, query string }{
		{"", "", ""},
		{"agents.db", "agents.db", ""},
		{"agents.db?", "agents.db", ""},
		{"agents.db?a=1", "agents.db", "a=1"},
		{"a?b?c", "a", "b?c"},
	} {
		base, query := dsn.Split(tt.dsn)
		if base != tt.base || query != tt.query {
			t.Errorf("Split(%q) = %q, %q, want %q, %q", tt.dsn, base, query, tt.base, tt.query)
		}
	}
}

// TestCheckForm: what has come along with a name is refused, and none of it shown.
func TestCheckForm(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a b.db", `C:\it's.db`, "host=db password='a b'"} {
		if err := dsn.CheckForm(name); err != nil {
			t.Errorf("CheckForm(%q) = %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"secret\n": "blank or a line end", "\tsecret": "blank or a line end", "secret\u00a0": "blank or a line end",
		`"secret"`: "quotes", "'secret'": "quotes", "`secret`": "quotes", `"secret`: "quotes",
	} {
		err := dsn.CheckForm(name)
		if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "secret") {
			t.Errorf("CheckForm(%q) = %v, want ErrInvalid with %q and nothing of the name", name, err, text)
		}
	}
}

// TestForeign: a word of another client gets its hint, and the value is not shown.
func TestForeign(t *testing.T) {
	t.Parallel()
	words := parse(t, "own=1&theirs=secret")
	words.String("own")
	words.Foreign(map[string]string{"own": "never", "theirs": "write ours"})
	if got, want := words.Done(), `invalid DSN: word "theirs" is another client's: write ours`; got == nil || got.Error() != want {
		t.Errorf("Done = %v, want %s", got, want)
	}
}

// TestParseRefuses: what is no list of words is refused, and no value is shown.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, query, text string }{
		{"no value", "verbose", "word=value"},
		{"a name with a blank", "a b=secret", "word=value"},
		{"a name that begins with a digit", "1a=secret", "word=value"},
		{"an empty name", "=secret", "word=value"},
		{"a name of 65 bytes", strings.Repeat("a", 65) + "=secret", "word=value"},
		{"half an escape", "a=secret%2", `word "a"`},
		{"a word given twice", "a=secret&a=secret", `word "a" is given twice`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := dsn.Parse(tt.query)
			if !errors.Is(err, driver.ErrInvalid) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("Parse = %v, want ErrInvalid with %q", err, tt.text)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the value: %v", err)
			}
		})
	}
}

func TestTaking(t *testing.T) {
	t.Parallel()
	words := parse(t, "s=a%26b&&addr=h1&n=7&addr=h2&on=true&wait=90s&empty=")
	if s, ok := words.String("s"); s != "a&b" || !ok {
		t.Errorf("String = %q, %v", s, ok)
	}
	if s, ok := words.String("empty"); s != "" || !ok {
		t.Errorf("String of an empty value = %q, %v", s, ok)
	}
	if s, ok := words.String("absent"); s != "" || ok {
		t.Errorf("String of an absent word = %q, %v", s, ok)
	}
	if got := words.Rest(); got != "addr=h1&n=7&addr=h2&on=true&wait=90s" {
		t.Errorf("Rest = %q", got)
	}
	if got := words.Strings("addr"); !slices.Equal(got, []string{"h1", "h2"}) {
		t.Errorf("Strings = %q", got)
	}
	if n := words.Int("n", 1, 1, 7); n != 7 {
		t.Errorf("Int = %d", n)
	}
	if n := words.Int("m", 3, 1, 7); n != 3 {
		t.Errorf("Int of an absent word = %d", n)
	}
	if !words.Bool("on", false) || !words.Bool("off", true) {
		t.Error("Bool")
	}
	if d := words.Duration("wait", 0); d != 90*time.Second {
		t.Errorf("Duration = %v", d)
	}
	if d := words.Duration("rest", time.Second); d != time.Second {
		t.Errorf("Duration of an absent word = %v", d)
	}
	if err := words.Done(); err != nil {
		t.Error(err)
	}
}

// TestFirstError: of several wrong words the first is reported, by Err and Done.
func TestFirstError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		take func(*dsn.Words)
		want string
	}{
		{"a number out of its range", func(w *dsn.Words) { w.Int("n", 1, 1, 7) }, `word "n" is "8": want a whole number from 1 to 7`},
		{"no number", func(w *dsn.Words) { w.Int("on", 1, 1, 7) }, `word "on" is "yes": want a whole number from 1 to 7`},
		{"no truth", func(w *dsn.Words) { w.Bool("on", false) }, `word "on" is "yes": want true or false`},
		{"no duration", func(w *dsn.Words) { w.Duration("n", 0) }, `word "n" is "8": want a duration such as 90s or 24h, or 0`},
		{"a negative duration", func(w *dsn.Words) { w.Duration("ago", 0) }, `word "ago" is "-1s": want a duration such as 90s or 24h, or 0`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			words := parse(t, "n=8&on=yes&ago=-1s&later=1")
			tt.take(words)
			words.Fail("later", "1", "something else")
			words.Reject(errors.New("something else"))
			want := driver.ErrInvalid.Error() + " DSN: " + tt.want
			for _, err := range []error{words.Err(), words.Done()} {
				if !errors.Is(err, driver.ErrInvalid) || err.Error() != want {
					t.Errorf("got  %v\nwant %s", err, want)
				}
			}
		})
	}
}

// TestUnknown: words that were not taken are named, sorted, with those allowed.
func TestUnknown(t *testing.T) {
	t.Parallel()
	words := parse(t, "z=1&b=2&a=secret")
	words.Bool("wait", false)
	words.String("b")
	err := words.Done()
	want := driver.ErrInvalid.Error() + ` DSN: unknown words "a", "z"; this driver's words: b, wait; every driver's: ` + strings.Join(dsn.Common, ", ")
	if !errors.Is(err, driver.ErrInvalid) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestReject(t *testing.T) {
	t.Parallel()
	words := parse(t, "")
	cause := errors.New("want a file")
	words.Reject(cause)
	if err := words.Done(); !errors.Is(err, cause) || !errors.Is(err, driver.ErrInvalid) {
		t.Errorf("Done = %v, want ErrInvalid and the cause", err)
	}
}

// TestLongValue: an error shows the beginning of a value, in whole characters.
func TestLongValue(t *testing.T) {
	t.Parallel()
	words := parse(t, "")
	words.Fail("n", strings.Repeat("x", 63)+"é and more", "less")
	if err := words.Err(); err == nil || !strings.Contains(err.Error(), `"`+strings.Repeat("x", 63)+`…"`) {
		t.Errorf("Err = %v", err)
	}
}

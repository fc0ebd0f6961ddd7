// Package dsn reads data source names: what a driver's Open parses, so that
// every driver, in this module or not, has the same rules and the same errors.
//
// # Form
//
// A data source name is a base and, after its first '?', a query string of
// words: "agents.db?synchronous=normal". A name is a letter and up to 63
// letters, digits and underscores. A value is escaped as in a URL's query.
// Words are joined by '&', and none but addr is given twice. The words in
// [Common] belong to package checkpoint, which takes them out before it calls
// the driver.
//
// # Whole URLs
//
// A driver registered under a name is opened in two ways. checkpoint.Open(name,
// dsn) hands over dsn as it is. checkpoint.OpenURL(url) takes the driver's name
// from the scheme and hands over the whole URL, scheme included. So a driver
//
//   - MUST accept "NAME:REST" for every name that it is registered under, and
//     read it as it reads REST where REST alone is a form it has ("sqlite:a.db"
//     and "a.db");
//   - accepts "NAME://REST" where that is how people write it, and gives the
//     empty base and the bare scheme ("memory:") the same meaning;
//   - MUST refuse a base that has another scheme, without showing it: it may be
//     the URL of another database, with a password.
//
// # Use
//
// A driver takes the words that it knows, one by one. The first error is kept,
// so that none has to be looked at in between, and [Words.Done] reports it, or
// the words that are left: they are unknown, and the error lists those that were
// asked for. All errors match [driver.ErrInvalid], and none shows a value that
// may be a secret.
package dsn

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// Common are the words that package checkpoint takes out of every data source
// name. A driver does not see them and cannot have words of these names.
var Common = []string{"compress", "history", "incremental", "max_state_size", "namespace", "ttl"}

// repeatable is the one word that may stand in a DSN more than once.
const repeatable = "addr"

// Split cuts a data source name at its first '?', which is in neither part.
func Split(dsn string) (base, query string) {
	base, query, _ = strings.Cut(dsn, "?")
	return base, query
}

// CheckForm refuses what a shell, a file or a form has left around a data source
// name: blanks, line ends and quotation marks. Package checkpoint checks what it is
// given; a driver does where it exports a parser of its own.
func CheckForm(dsn string) error {
	switch {
	case strings.TrimSpace(dsn) != dsn:
		return fmt.Errorf("%w DSN: it begins or ends with a blank or a line end; take it out", driver.ErrInvalid)
	case dsn != "" && strings.ContainsRune("'\"`", rune(dsn[0])):
		return fmt.Errorf("%w DSN: it stands in quotes; take them out", driver.ErrInvalid)
	}
	return nil
}

// Words are the words of a data source name that have not been taken yet. A
// Words is for one goroutine.
type Words struct {
	pairs []pair
	asked []string
	err   error
}

type pair struct{ name, value, raw string }

// Parse reads the query part of a data source name. Its errors show names that
// look like words and never a value: a '?' inside a password makes its tail look
// like a query.
func Parse(query string) (*Words, error) {
	w := &Words{}
	for raw := range strings.SplitSeq(query, "&") {
		if raw == "" {
			continue
		}
		name, value, found := strings.Cut(raw, "=")
		if !found || !isWord(name) {
			return nil, fmt.Errorf("%w DSN: what follows '?' must be word=value pairs joined by '&' (write %%3F for a '?' and %%26 for a '&' that belong to a name or password)", driver.ErrInvalid)
		}
		v, err := url.QueryUnescape(value)
		if err != nil {
			return nil, fmt.Errorf("%w DSN: word %q: the value has a '%%' that starts no escape (write %%25)", driver.ErrInvalid, name)
		}
		if name != repeatable && slices.ContainsFunc(w.pairs, func(p pair) bool { return p.name == name }) {
			return nil, fmt.Errorf("%w DSN: word %q is given twice", driver.ErrInvalid, name)
		}
		w.pairs = append(w.pairs, pair{name, v, raw})
	}
	return w, nil
}

// isWord reports whether s has the shape of a word: a letter, then letters,
// digits and underscores, 64 bytes at most.
func isWord(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}

// String takes the word of that name, and reports whether it was there. Its
// value is unescaped, and may be empty.
func (w *Words) String(name string) (string, bool) {
	w.asked = append(w.asked, name)
	for i, p := range w.pairs {
		if p.name == name {
			w.pairs = slices.Delete(w.pairs, i, i+1)
			return p.value, true
		}
	}
	return "", false
}

// Strings takes every occurrence of a word, in the order in which they stand.
func (w *Words) Strings(name string) []string {
	var values []string
	for {
		v, ok := w.String(name)
		if !ok {
			return values
		}
		values = append(values, v)
	}
}

// Bool takes a word that is "true" or "false", and returns missing where it is
// not there.
func (w *Words) Bool(name string, missing bool) bool {
	v, ok := w.String(name)
	if !ok {
		return missing
	}
	if v != "true" && v != "false" {
		w.Fail(name, v, "true or false")
	}
	return v == "true"
}

// Int takes a word that is a whole number from low to high, both included, and
// returns missing where it is not there or is refused.
func (w *Words) Int(name string, missing, low, high int) int {
	v, ok := w.String(name)
	if !ok {
		return missing
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		w.Fail(name, v, fmt.Sprintf("a whole number from %d to %d", low, high))
		return missing
	}
	return n
}

// Duration takes a word that is a Go duration of at least 0, and returns missing
// where it is not there or is refused.
func (w *Words) Duration(name string, missing time.Duration) time.Duration {
	v, ok := w.String(name)
	if !ok {
		return missing
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 {
		w.Fail(name, v, "a duration such as 90s or 24h, or 0")
		return missing
	}
	return d
}

// Fail records that the value of a word is not allowed, and what would be,
// unless there is an error already. The error shows the first 64 bytes of value:
// Fail is not for words that hold a secret, for which there is Reject.
func (w *Words) Fail(name, value, want string) {
	if len(value) > 64 {
		value = strings.ToValidUTF8(value[:64], "") + "…"
	}
	w.Reject(fmt.Errorf("word %q is %q: want %s", name, value, want))
}

// Reject records an error of the driver's own, unless there is one already.
// What Err and Done return then matches both err and driver.ErrInvalid.
func (w *Words) Reject(err error) {
	if w.err == nil {
		w.err = fmt.Errorf("%w DSN: %w", driver.ErrInvalid, err)
	}
}

// Foreign refuses the first word that is left and that clients for other languages
// or libraries have; hints say what to write instead, by the words' names.
func (w *Words) Foreign(hints map[string]string) {
	for _, p := range w.pairs {
		if hint, ok := hints[p.name]; ok {
			w.Reject(fmt.Errorf("word %q is another client's: %s", p.name, hint))
			return
		}
	}
}

// Err returns the first error so far, or nil.
func (w *Words) Err() error { return w.err }

// Rest returns the words that were not taken, as they were written, for a driver
// that hands them to its client's own parser.
func (w *Words) Rest() string {
	raws := make([]string, len(w.pairs))
	for i, p := range w.pairs {
		raws[i] = p.raw
	}
	return strings.Join(raws, "&")
}

// Done returns the first error, or one that names the words that were not taken
// and those that may be given, or nil.
func (w *Words) Done() error {
	if w.err != nil || len(w.pairs) == 0 {
		return w.err
	}
	unknown := make([]string, len(w.pairs))
	for i, p := range w.pairs {
		unknown[i] = strconv.Quote(p.name)
	}
	slices.Sort(unknown)
	slices.Sort(w.asked)
	own := slices.Compact(w.asked)
	allowed := "none of its own"
	if len(own) > 0 {
		allowed = strings.Join(own, ", ")
	}
	noun := "word"
	if len(unknown) > 1 {
		noun = "words"
	}
	return fmt.Errorf("%w DSN: unknown %s %s; this driver's words: %s; every driver's: %s",
		driver.ErrInvalid, noun, strings.Join(slices.Compact(unknown), ", "), allowed, strings.Join(Common, ", "))
}

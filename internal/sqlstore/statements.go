package sqlstore

import (
	"fmt"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
)

// MaxTableName is the longest name of a table, in bytes: the names of indexes
// and further tables, made by a suffix of up to 23 bytes, stay within the 63
// bytes that PostgreSQL distinguishes.
const MaxTableName = 40

// CheckTableName returns an error that matches driver.ErrInvalid unless name
// is 1 to MaxTableName letters, digits and underscores and starts with no
// digit.
func CheckTableName(name string) error {
	ok := 0 < len(name) && len(name) <= MaxTableName
	for i := 0; ok && i < len(name); i++ {
		c := name[i]
		ok = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || i > 0 && '0' <= c && c <= '9'
	}
	if !ok {
		return fmt.Errorf("%w table name: want letters, digits and underscores, no digit first, at most %d bytes", driver.ErrInvalid, MaxTableName)
	}
	return nil
}

// Quote makes an identifier of a name.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Statements are the statements of a .sql file by their names.
type Statements map[string]string

// ParseStatements splits a .sql file at its lines of the form
//
//	-- name: save
//
// and puts words in place of what stands in braces, {table} for example. What
// comes before the first name is a comment. The file and the words are the
// driver's own, and the words have been checked or quoted: nothing from a
// request ever gets into a statement but as an argument.
func ParseStatements(file string, words ...string) Statements {
	const mark = "-- name: "
	replace := strings.NewReplacer(words...)
	s := Statements{}
	parts := strings.Split("\n"+file, "\n"+mark)
	for _, part := range parts[1:] {
		name, text, _ := strings.Cut(part, "\n")
		s[strings.TrimSpace(name)] = strings.TrimSpace(replace.Replace(text))
	}
	return s
}

// Get returns a statement. It panics when there is none: the file is part of
// the program.
func (s Statements) Get(name string) string {
	text, ok := s[name]
	if !ok {
		panic("sqlstore: no statement is named " + name)
	}
	return text
}

package postgres

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-ckpt/checkpoint/driver"
	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

// maxIdentifier is where PostgreSQL cuts names off.
const maxIdentifier = 63

// A table is the name that everything the driver makes in the database is
// called after. Schema is empty when the search_path decides.
type table struct{ schema, name string }

// parseTable reads table or schema.table. A part in double quotes may hold
// anything, a quote doubled; any other part is taken literally too, and only
// ends at a dot.
func parseTable(s string) (table, error) {
	var parts []string
	for rest := s; ; {
		part, after, ok := cutPart(rest)
		if !ok {
			return table{}, fmt.Errorf(`%w table name: want table or schema.table, with double quotes around a part that holds a dot or a quote (which is doubled)`, driver.ErrInvalid)
		}
		parts = append(parts, part)
		if after == "" {
			break
		}
		rest = after[1:]
	}
	if len(parts) > 2 {
		return table{}, fmt.Errorf(`%w table name: it has %d parts, want table or schema.table (with double quotes around a part that holds a dot)`, driver.ErrInvalid, len(parts))
	}
	t := table{name: parts[len(parts)-1]}
	if len(parts) == 2 {
		t.schema = parts[0]
	}
	switch {
	case len(t.name) > sqlstore.MaxTableName:
		return table{}, fmt.Errorf("%w table name: it has %d bytes, at most %d are allowed", driver.ErrInvalid, len(t.name), sqlstore.MaxTableName)
	case len(t.schema) > maxIdentifier:
		return table{}, fmt.Errorf("%w table name: its schema has %d bytes, at most %d are allowed", driver.ErrInvalid, len(t.schema), maxIdentifier)
	case !utf8.ValidString(s) || strings.Contains(s, "\x00"):
		return table{}, fmt.Errorf("%w table name: it is not UTF-8 without NUL", driver.ErrInvalid)
	}
	return t, nil
}

// cutPart cuts the first part off: after is empty or starts with the dot.
func cutPart(s string) (part, after string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexByte(s, '.')
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], end > 0 && !strings.Contains(s[:end], `"`)
	}
	var b strings.Builder
	for rest := s[1:]; ; {
		text, tail, found := strings.Cut(rest, `"`)
		if !found {
			return "", "", false
		}
		b.WriteString(text)
		if !strings.HasPrefix(tail, `"`) {
			return b.String(), tail, b.Len() > 0 && (tail == "" || strings.HasPrefix(tail, "."))
		}
		b.WriteByte('"')
		rest = tail[1:]
	}
}

// String is the quoted name as a statement takes it, with the schema if there
// is one.
func (t table) String() string { return t.sibling("") }

// sibling is the quoted name of something that belongs to the table and is
// called after it.
func (t table) sibling(suffix string) string {
	name := sqlstore.Quote(t.name + suffix)
	if t.schema == "" {
		return name
	}
	return sqlstore.Quote(t.schema) + "." + name
}

// The suffixes of what belongs to the table.
const (
	historySuffix = "_history" // the table of older versions
	chainsSuffix  = "_chains"  // the table of what patches build on
	saveSuffix    = "_save_3"  // the function that saves; another body or other arguments get another number
	expirySuffix  = "_expiry"  // the index that purging uses
	keySuffix     = "_key"     // the unique index of a table that is being taken over
	readerSuffix  = "_reader"  // the index for the former program of such a table
)

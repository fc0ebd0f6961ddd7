package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ckpt/checkpoint/driver"
)

// Facts are what the database has by the name of the table.
type facts struct {
	encoding string // of the database
	schema   string // where the table is, or would be made; empty: nowhere
	kind     string // of what has the table's name: "r" and "p" are tables, empty: nothing
	bytes    int64  // of the table, without long states
	columns  []string
	pkeyName string
	pkey     string // the definition of the primary key
	keyIndex bool   // the index of a takeover is there
	history  string // the kind of what has the history's name
	chains   string // the kind of what has the name of the table of chains
	comment  string // on the history
	cascade  bool   // its foreign key points to the table
	follows  bool   // that of the table of chains does
	function bool   // the function that saves is there, and names the table where it is now
	filtered bool   // row level security filters what this account sees
	policies bool   // and there are policies that let it see something
}

// A stage says how far the tables are from what the driver needs.
type stage int

const (
	stageReady   stage = iota
	stageAbsent        // nothing has the name
	stageSeed          // a table made by hand, with four columns
	stageColumns       // such a table that has got the other columns
	stageIndexes       // and the indexes
	stageRest          // what belongs to the table is not there, or not all of it
	stageForeign       // something else has the name
	stageNewer         // a later version of the driver has been here
)

// The columns of the table. A table may have more, as long as a row can do
// without them.
var ourColumns = []string{
	"thread_id text required bytes", "state jsonb required", "created_at timestamp with time zone", "updated_at timestamp with time zone",
	"namespace text bytes", "version bigint", "oldest bigint", "id text", "payload bytea", "encoding text", "size integer",
	"metadata jsonb", "expires_at timestamp with time zone",
}

// seedColumns are those of the table that
//
//	CREATE TABLE agent_checkpoints (thread_id TEXT PRIMARY KEY, state JSONB NOT NULL,
//		created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(), updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW())
//
// has made.
var seedColumns = []string{
	"thread_id text required", "state jsonb required", "created_at timestamp with time zone", "updated_at timestamp with time zone",
}

// stage finds out what is to be done.
func (f facts) stage() stage {
	if f.kind == "" {
		return stageAbsent
	}
	if f.kind != "r" && f.kind != "p" {
		return stageForeign
	}
	if parseMark(f.comment) > version {
		return stageNewer
	}
	has := func(want []string) bool {
		return !slices.ContainsFunc(want, func(c string) bool {
			return !slices.Contains(f.columns, c) && !slices.Contains(f.columns, c+" bytes")
		})
	}
	seed := f.pkey == "PRIMARY KEY (thread_id)" && has(seedColumns)
	switch {
	case seed && len(f.columns) == len(seedColumns):
		return stageSeed
	case seed && has(without(ourColumns, "thread_id")) && f.keyIndex:
		return stageIndexes
	case seed && has(without(ourColumns, "thread_id")):
		return stageColumns
	case f.pkey != "PRIMARY KEY (namespace, thread_id)" || !has(ourColumns) || f.demandsMore():
		return stageForeign
	case f.history != "" && f.history != "r" && f.history != "p", f.chains != "" && f.chains != "r" && f.chains != "p":
		return stageForeign
	case f.history == "" || f.chains == "" || !f.function:
		return stageRest
	}
	return stageReady
}

// demandsMore reports whether the table has a column that every row must fill
// in and the driver does not know.
func (f facts) demandsMore() bool {
	return slices.ContainsFunc(f.columns, func(c string) bool {
		return strings.Contains(c, " required") && !slices.Contains(ourColumns, c)
	})
}

func without(columns []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return strings.HasPrefix(c, name+" ") })
}

// look asks the catalogs, which need no rights, and for the process that serves the
// connection. A statement without arguments takes one round trip, whatever pool it is on.
func (b *backend) look(ctx context.Context, on *sql.Conn) (facts, error) {
	var f facts
	query := newSchema(b.table, "").statements.Get("look")
	var columns, function string
	var pid int64
	err := on.QueryRowContext(ctx, query).Scan(&pid, &f.encoding, &f.schema, &f.kind, &f.bytes, &columns, &f.pkeyName, &f.pkey, &f.keyIndex, &f.history, &f.chains, &f.comment, &f.cascade, &f.follows, &function, &f.filtered, &f.policies)
	if columns != "" {
		f.columns = strings.Split(columns, ";")
	}
	f.function = function == newSchema(table{schema: f.schema, name: b.table.name}, "").function()
	if err == nil {
		err = on.Raw(func(c any) error {
			if c, ok := c.(*conn); ok {
				c.learn(pid)
			}
			return nil
		})
	}
	return f, err
}

// refusal is the error for what no migration can help, and nil for what one
// can.
func (b *backend) refusal(f facts, s stage) error {
	switch {
	case f.encoding != "UTF8":
		return fmt.Errorf("%w: the database's encoding is %s, and the driver needs UTF8; make a database WITH ENCODING 'UTF8' TEMPLATE template0", driver.ErrInvalid, f.encoding)
	case f.schema == "" && b.table.schema != "":
		return fmt.Errorf("%w: the schema of table %s does not exist, or the account may not use it; CREATE SCHEMA and GRANT USAGE, CREATE on it", driver.ErrUnavailable, b.table)
	case f.schema == "":
		return fmt.Errorf("%w: no schema of the search_path exists; give table_name as schema.table", driver.ErrUnavailable)
	case s == stageForeign:
		return fmt.Errorf("%w: %s is not a table of checkpoints, and not one that can be taken over; it is left as it is: choose another table_name, or give this one another name (found: %s; %s)",
			driver.ErrInvalid, b.table, f.describe(), f.pkey)
	case (f.history == "r" || f.history == "p") && !f.cascade:
		return fmt.Errorf("%w: the history %s is another table's: its foreign key does not point to %s, or is not there, since one of them was renamed or restored without the other; rename it or drop it, and it is made anew, or restore both",
			driver.ErrInvalid, b.table.sibling(historySuffix), b.table)
	case f.chains != "" && !f.follows:
		return fmt.Errorf("%w: the table of chains %s is another table's: its foreign key does not point to %s, or is not there, since one of them was renamed or restored without the other; rename it or drop it, and it is made anew, or restore both",
			driver.ErrInvalid, b.table.sibling(chainsSuffix), b.table)
	case s == stageReady && f.filtered && !f.policies:
		return fmt.Errorf("%w: row level security hides every row of %s from this account: no policy lets it see any, so that every thread would look absent; have the owner add a policy for it on the table, its history and its chains, or disable row level security",
			driver.ErrUnavailable, b.table)
	case s == stageNewer:
		return fmt.Errorf("%w: the table %s has schema %d of a later version of this package, which this one, with schema %d, does not know: update this program",
			driver.ErrInvalid, b.table, parseMark(f.comment), version)
	}
	return nil
}

// describe names the columns, for the error about a table that is another
// program's.
func (f facts) describe() string {
	if f.kind != "r" && f.kind != "p" {
		return "no table"
	}
	names := make([]string, len(f.columns))
	for i, c := range f.columns {
		names[i], _, _ = strings.Cut(c, " ")
	}
	return "columns " + strings.Join(names, ", ")
}

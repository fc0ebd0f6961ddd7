package postgres

import (
	_ "embed"
	"fmt"
	"math"
	"strings"

	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

//go:embed schema.sql
var schemaFile string

//go:embed statements.sql
var statementsFile string

// version is the version of the schema. A later one that this program could
// not use gets a higher number; what is added without harm does not.
const version = 1

// mark is what the comment on the history's table begins with; a number
// follows. The database with the highest number wins: a program that does not
// know it keeps its hands off.
const mark = "Older versions of checkpoints; schema "

// A schema is the names of what the driver makes in the database, in
// statements.
type schema struct {
	statements sqlstore.Statements // of the operations
	ddl        sqlstore.Statements // what makes them possible
}

// newSchema makes the statements for a table whose schema is known, and the
// name of its present primary key.
func newSchema(t table, pkey string) *schema {
	words := append(t.words(),
		"{pkey}", sqlstore.Quote(pkey),
		"{mark}", "'"+fmt.Sprint(mark, version, " of github.com/go-ckpt/checkpoint")+"'",
	)
	columns := strings.NewReplacer(t.columns()...)
	return &schema{
		statements: sqlstore.ParseStatements(columns.Replace(statementsFile), words...),
		ddl:        sqlstore.ParseStatements(columns.Replace(schemaFile), words...),
	}
}

// columns are expressions of columns; names from a configuration are not among
// them.
func (table) columns() []string {
	const (
		// Rows that another program wrote have no id. What stands in for one
		// changes when such a program writes again.
		id   = `coalesce(t.id, 'row-' || (extract(epoch FROM t.updated_at) * 1000000)::bigint)`
		size = `coalesce(t.size, octet_length(t.state::text))`
	)
	return []string{
		"{info}", "t.thread_id, " + id + " AS id, t.version, " + size + " AS size, t.encoding, t.metadata, t.created_at, t.updated_at, t.expires_at",
		"{old}", "h.thread_id, h.id, h.version, h.size, h.encoding, h.metadata, h.created_at, h.updated_at, h.expires_at",
		"{id}", id,
		"{size}", size,
		"{live}", "(t.expires_at IS NULL OR t.expires_at > $3)",
	}
}

// words are the quoted names.
func (t table) words() []string {
	words := []string{
		"{table}", t.String(),
		"{history}", t.sibling(historySuffix),
		"{save}", t.sibling(saveSuffix),
	}
	for _, suffix := range []string{expirySuffix, keySuffix, readerSuffix} {
		words = append(words, "{"+suffix[1:]+"}", sqlstore.Quote(t.name+suffix)) // an index lives in its table's schema
	}
	body := "$body$" // a dollar quote that no name ends
	for i := 1; strings.Contains(t.schema+t.name, body); i++ {
		body = fmt.Sprintf("$body%d$", i)
	}
	return append(words, "{body}", body)
}

// Schema returns the SQL that makes what the driver needs, for the owner of
// the tables to run where applications have an account that may not make tables (with NoMigrate, or the
// word migrate=false). Run it as the owner of the tables, in one transaction. A table name
// without a schema means the schema public here.
//
// For a configuration that cannot be used it returns its error as a comment.
func Schema(cfg Config) string {
	cfg = cfg.withDefaults()
	t, err := parseTable(cfg.Table)
	if err != nil {
		return "-- " + strings.ReplaceAll(err.Error(), "\n", " ") + "\n"
	}
	if t.schema == "" {
		t.schema = "public"
	}
	return newSchema(t, "").create()
}

// create is what makes everything where nothing is.
func (s *schema) create() string {
	var b strings.Builder
	for _, part := range []string{"tables", "history", "compression", "function"} {
		b.WriteString(strings.TrimSuffix(s.ddl.Get(part), ";"))
		b.WriteString(";\n\n")
	}
	return b.String()
}

// parseMark returns the number in the comment on the history's table, 0 when
// there is none.
func parseMark(comment string) int {
	var n int
	_, err := fmt.Sscanf(strings.TrimPrefix(comment, mark), "%d", &n)
	if err != nil || !strings.HasPrefix(comment, mark) || n > math.MaxInt32 {
		return 0
	}
	return n
}

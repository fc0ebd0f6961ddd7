package postgres

import (
	"crypto/sha256"
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
	parts := sqlstore.ParseStatements(statementsFile)
	whole := strings.NewReplacer("{simple}", parts.Get("part simple"), "{kept}", parts.Get("part kept"))
	return &schema{
		statements: sqlstore.ParseStatements(columns.Replace(whole.Replace(statementsFile)), words...),
		ddl:        sqlstore.ParseStatements(columns.Replace(schemaFile), words...),
	}
}

// columns are expressions of columns; names from a configuration are not among
// them.
func (table) columns() []string {
	// Another program may have written any time that the column can hold,
	// infinity among them. What Go and JSON cannot show becomes the nearest time
	// that they can.
	shown := func(column string) string {
		return "greatest(least(" + column + ", timestamptz '9999-12-31 23:59:59.999999+00'), timestamptz '0001-01-01 00:00:00.000001+00')"
	}
	times := func(t string) []string {
		return []string{shown(t + ".created_at"), shown(t + ".updated_at"), "CASE WHEN " + t + ".expires_at IS NOT NULL THEN " + shown(t+".expires_at") + " END"}
	}
	latest := times("t")
	// Rows that another program wrote have no id. What stands in for one changes
	// when such a program writes again.
	id := "coalesce(t.id, 'row-' || (extract(epoch FROM " + latest[1] + ") * 1000000)::bigint)"
	const (
		size = `coalesce(t.size, octet_length(t.state::text))`
		live = "(t.expires_at IS NULL OR t.expires_at > $3)"
	)
	// One version is looked up as a range in order: a planner that has no statistics
	// yet takes that by the key, but `version = $9` by the index of ids, which then
	// reads the whole history.
	// The number in state is the base, where payload has no bytes: what was saved as
	// bytes has a null there, and a long state is not looked at. Damage may have made
	// the number anything.
	base := func(t string) string {
		return strings.ReplaceAll(`CASE WHEN octet_length(t.payload) = 0 THEN CASE WHEN jsonb_typeof(t.state) = 'number'
			THEN CASE WHEN t.state::numeric BETWEEN 0 AND 9223372036854775807 THEN t.state::bigint END END END`, "t.", t+".")
	}
	info := func(t, id, size, metadata string) string {
		at := times(t)
		return t + ".thread_id, " + id + " AS id, " + t + ".version, " + size + " AS size, " + t + ".encoding, " + metadata + ", " +
			at[0] + " AS created_at, " + at[1] + " AS updated_at, " + at[2] + " AS expires_at, coalesce(" + base(t) + ", 0) AS base"
	}
	const once = "CASE WHEN k.version IS NULL OR k.version = t.version THEN t.metadata END"
	return []string{
		"{info}", info("t", id, size, "t.metadata"),
		"{info_once}", info("t", id, size, once),
		"{old}", info("h", "h.id", "h.size", "h.metadata"),
		"{old_once}", info("t", "t.id", "t.size", once),
		"{base}", base("t"),
		"{old_base}", base("h"),
		"{link}", "SELECT l.version, l.id, l.encoding, l.base, l.digest, l.payload FROM {chains} l WHERE (" + base("t") + ") IS NOT NULL" +
			" AND l.namespace = $1 AND l.thread_id = $2 AND l.version BETWEEN coalesce(nullif(" + base("t") + ", 0), t.version) AND t.version",
		"{id}", id,
		"{size}", size,
		"{live}", live,
		"{created}", latest[0],
		"{saved}", latest[1],
		"{expires}", latest[2],
		"{life}", "t.namespace = $1 AND t.thread_id = $2 AND " + live + ` AND ($8::timestamptz IS NULL OR ` + latest[0] + ` = $8::timestamptz
			AND NOT (t.version = $9::bigint AND ` + id + ` <> $10::text)
			AND coalesce((SELECT l.id FROM {history} l WHERE l.namespace = $1 AND l.thread_id = $2 AND l.version BETWEEN $9::bigint AND $9::bigint ORDER BY l.version LIMIT 1), $10::text) = $10::text)`,
	}
}

// words are the quoted names.
func (t table) words() []string {
	words := []string{
		"{table}", t.String(),
		"{history}", t.sibling(historySuffix),
		"{chains}", t.sibling(chainsSuffix),
		"{save}", t.sibling(saveSuffix),
	}
	for _, suffix := range []string{expirySuffix, keySuffix, readerSuffix} {
		words = append(words, "{"+suffix[1:]+"}", sqlstore.Quote(t.name+suffix)) // an index lives in its table's schema
	}
	body := "$body$" // a dollar quote that no name ends
	for i := 1; strings.Contains(t.schema+t.name, body); i++ {
		body = fmt.Sprintf("$body%d$", i)
	}
	name := "$name$"
	for i := 1; strings.Contains(t.String(), name); i++ {
		name = fmt.Sprintf("$name%d$", i)
	}
	text := func(s string) string { return name + s + name }
	return append(words, "{body}", body, "{name}", text(t.String()), "{schema_name}", text(t.schema),
		"{history_name}", text(t.sibling(historySuffix)), "{chains_name}", text(t.sibling(chainsSuffix)),
		"{history_relation}", text(t.name+historySuffix), "{chains_relation}", text(t.name+chainsSuffix),
		"{key_relation}", text(t.name+keySuffix), "{save_relation}", text(t.name+saveSuffix))
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

// function is the digest of the body of the function that saves, as the database
// holds it.
func (s *schema) function() string {
	_, body, _ := strings.Cut(s.ddl.Get("function"), " AS $")
	_, body, _ = strings.Cut(body, "$")
	body = body[:strings.LastIndex(body, "END $")+len("END ")]
	return fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
}

// create is what makes everything where nothing is.
func (s *schema) create() string {
	var b strings.Builder
	for _, part := range []string{"tables", "history", "chains", "compression", "function"} {
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

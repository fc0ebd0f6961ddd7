package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	_ "embed"

	"github.com/go-ckpt/checkpoint/internal/sqlstore"
)

//go:embed statements.sql
var statementsFile string

// Parts of statements about a row t; see statements.sql. columns are those of a
// sqlstore.Row, and loaded those without the thread, which whoever loads it knows, and
// with digest and payload.
const (
	base    = "CASE typeof(t.state) WHEN 'integer' THEN t.state END"
	columns = "thread_id, id, version, size, encoding, metadata, created_at, saved_at, expires_at, ifnull({base}, 0)"
	loaded  = "+id AS a, +version AS b, +size AS c, +encoding AS d, +metadata AS e, +created_at AS f, +saved_at AS g, +expires_at AS h, " +
		"ifnull({base}, 0) AS i, CASE typeof(t.state) WHEN 'integer' THEN (SELECT c.digest {chained}) END AS j, {payload} AS k"
	stored  = "CASE typeof(t.state) WHEN 'integer' THEN (SELECT c.payload {chained}) ELSE CAST(t.state AS BLOB) END"
	chained = "FROM {chains} AS c WHERE c.namespace = t.namespace AND c.thread_id = t.thread_id AND c.version = t.version AND c.id = t.id"

	// noChains is what stands for the table where it is not there.
	noChains = "(SELECT NULL AS namespace, NULL AS thread_id, NULL AS version, NULL AS id, NULL AS base, NULL AS encoding, NULL AS digest, NULL AS payload WHERE 0)"
)

// parseStatements returns the statements for one table. Those that write a
// state are there twice: text_insert for JSON, blob_insert for anything else.
// versions is there in both orders. Without the table of chains they can only read.
func parseStatements(table string, chains bool) sqlstore.Statements {
	chainsTable := noChains
	if chains {
		chainsTable = sqlstore.Quote(chainsTableName(table))
	}
	file := strings.NewReplacer("{columns}", columns, "{loaded}", loaded).Replace(statementsFile)
	file = strings.NewReplacer("{base}", base, "{payload}", stored).Replace(file)
	file = strings.NewReplacer("{chained}", chained).Replace(file)
	words := func(state string) []string {
		return []string{
			"{table}", sqlstore.Quote(table), "{schema}", sqlstore.Quote(schemaTable(table)), "{chains}", chainsTable, "{state}", state,
		}
	}
	all := sqlstore.ParseStatements(file, words("?")...)
	asText := sqlstore.ParseStatements(file, words("CAST(? AS TEXT)")...)
	for name, text := range asText {
		if text != all[name] {
			all["text_"+name], all["blob_"+name] = text, all[name]
		}
	}
	all["versions_newest"] = strings.Replace(all["versions"], "ORDER BY 3 ", "ORDER BY 3 DESC ", 1)
	return all
}

// statements are prepared once and, by database/sql, on each connection that
// uses them.
type statements struct {
	head, latest, older, olderKey, supersede, trim, delete, purgeOlder, purgeLatest, lock *sql.Stmt // writing
	describe, link, olderBase, digest, insertChain, recycleChain, trimChain, rewriteChain *sql.Stmt
	text, blob                                                                            stateStatements
	firstOfPrefix, deleteOlderOf, deleteLatestOf                                          *sql.Stmt
	load, loadVersion, list, history, namespaces, version                                 *sql.Stmt // reading
	find, versions, versionsNewest, versionState, links                                   *sql.Stmt
}

// stateStatements write a state in one of its two forms.
type stateStatements struct {
	insert, replace, recycle, rewrite *sql.Stmt
}

// forEncoding returns the statements that write a state of that encoding.
func (m *statements) forEncoding(encoding string) *stateStatements {
	if encoding == "json" {
		return &m.text
	}
	return &m.blob
}

// all returns where each statement belongs, by its name; those that write
// first.
func (m *statements) all() (write, read []namedStatement) {
	return []namedStatement{
			{"head", &m.head},
			{"latest", &m.latest},
			{"older", &m.older},
			{"older_key", &m.olderKey},
			{"supersede", &m.supersede},
			{"trim", &m.trim},
			{"delete", &m.delete},
			{"purge_older", &m.purgeOlder},
			{"purge_latest", &m.purgeLatest},
			{"lock", &m.lock},
			{"first_of_prefix", &m.firstOfPrefix},
			{"delete_older_of", &m.deleteOlderOf},
			{"delete_latest_of", &m.deleteLatestOf},
			{"describe", &m.describe},
			{"link", &m.link},
			{"older_base", &m.olderBase},
			{"digest", &m.digest},
			{"insert_chain", &m.insertChain},
			{"recycle_chain", &m.recycleChain},
			{"trim_chain", &m.trimChain},
			{"rewrite_chain", &m.rewriteChain},
			{"text_insert", &m.text.insert},
			{"text_replace", &m.text.replace},
			{"text_recycle", &m.text.recycle},
			{"text_rewrite", &m.text.rewrite},
			{"blob_insert", &m.blob.insert},
			{"blob_replace", &m.blob.replace},
			{"blob_recycle", &m.blob.recycle},
			{"blob_rewrite", &m.blob.rewrite},
		}, []namedStatement{
			{"load", &m.load},
			{"load_version", &m.loadVersion},
			{"list", &m.list},
			{"history", &m.history},
			{"namespaces", &m.namespaces},
			{"version", &m.version},
			{"find", &m.find},
			{"versions", &m.versions},
			{"versions_newest", &m.versionsNewest},
			{"version_state", &m.versionState},
			{"links", &m.links},
		}
}

type namedStatement struct {
	name string
	stmt **sql.Stmt
}

// prepare prepares every statement, or none. Without the table of chains those that
// write are left out, but for the lock, which tells why nothing can be written.
func (m *statements) prepare(ctx context.Context, texts sqlstore.Statements, write, read *sql.DB, chains bool) error {
	var made statements
	writing, reading := made.all()
	if !chains {
		writing = slices.DeleteFunc(writing, func(s namedStatement) bool { return s.stmt != &made.lock })
	}
	for i, s := range append(writing, reading...) {
		db := write
		if i >= len(writing) {
			db = read
		}
		var err error
		if *s.stmt, err = db.PrepareContext(ctx, withoutComments(texts.Get(s.name))); err != nil {
			return errors.Join(err, made.close())
		}
	}
	*m = made
	return nil
}

// withoutComments spares SQLite the lines that are there for people.
func withoutComments(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "--") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func (m *statements) close() error {
	var errs []error
	writing, reading := m.all()
	for _, s := range append(writing, reading...) {
		if *s.stmt != nil {
			errs = append(errs, (*s.stmt).Close())
			*s.stmt = nil
		}
	}
	return errors.Join(errs...)
}

package postgres

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/internal/test/testserver"
)

// TestStorage looks at what saves cost in the database, by its own counters:
// updates that touch no index, and a history in which the version that comes
// takes the row of the one that goes.
func TestStorage(t *testing.T) {
	t.Parallel()
	// A server of its own: PostgreSQL makes no HOT update where it cannot clean
	// up, and a long transaction anywhere on the server keeps it from that.
	dsn := testserver.StartPostgres(t, testserver.PostgresOptions{}).URL
	// One connection, whose counters are all there are.
	b := openReady(t, words(dsn, "max_connections=1"))
	const threads, rounds, keep = 20, 30, 5
	for round := range rounds {
		for i := range threads {
			req := save(fmt.Sprint("one-", i), fmt.Sprintf(`{"round": %d, "text": %q}`, round, strings.Repeat("x", 500)))
			mustSave(t, b, req)
			req = save(fmt.Sprint("many-", i), string(req.Payload))
			req.Keep = keep
			mustSave(t, b, req)
		}
	}
	// The session reports its counters when it has been idle for a second, or
	// ends.
	b.Close()
	db := plain(t, dsn)
	const saves = 2 * threads * rounds
	await(t, func() bool {
		return selectText(t, db, "SELECT sum(n_tup_ins + n_tup_upd) FROM pg_stat_user_tables WHERE relname = 'agent_checkpoints'") == fmt.Sprint(saves)
	})
	number := func(table, column string) (n int) {
		t.Helper()
		fmt.Sscan(selectText(t, db, "SELECT "+column+" FROM pg_stat_user_tables WHERE relname = '"+table+"'"), &n)
		return n
	}
	updates, hot := number("agent_checkpoints", "n_tup_upd"), number("agent_checkpoints", "n_tup_hot_upd")
	if want := saves - 2*threads; updates != want || hot < want*8/10 {
		t.Errorf("%d updates, %d of them HOT, want %d and at least 80 %%", updates, hot, want)
	}
	ins, upd, del := number("agent_checkpoints_history", "n_tup_ins"), number("agent_checkpoints_history", "n_tup_upd"), number("agent_checkpoints_history", "n_tup_del")
	if ins != threads*(keep-1) || upd != threads*(rounds-keep) || del != 0 {
		t.Errorf("the history has had %d rows inserted, %d updated and %d deleted, want %d, %d and none", ins, upd, del, threads*(keep-1), threads*(rounds-keep))
	}
	if got := selectText(t, db, "SELECT string_agg(attcompression::text, '' ORDER BY attrelid::regclass::text, attnum) FROM pg_attribute WHERE attname IN ('state', 'payload') AND attrelid::regclass::text LIKE 'agent_checkpoints%' AND attnum > 0"); got != "lllll" &&
		selectText(t, db, "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'") == "true" {
		t.Errorf("the states are compressed by %q, want lz4 everywhere", got)
	}
}

// TestPlans: what runs at every save, load and page uses the key, and the purge
// its index.
func TestPlans(t *testing.T) {
	t.Parallel()
	dsn := testserver.PostgresInEnglish(t)
	b, db := openReady(t, dsn), plain(t, dsn)
	mustExec(t, db, `INSERT INTO agent_checkpoints (thread_id, state, id, size, version, oldest, expires_at)
		SELECT 'user-' || g, '{}', 'id-' || g, 2, 2, 1, CASE WHEN g % 100 = 0 THEN now() END FROM generate_series(1, 20000) g`,
		`INSERT INTO agent_checkpoints_history SELECT namespace, thread_id, 1, 'old', state, payload, encoding, size, metadata, created_at, updated_at, expires_at FROM agent_checkpoints`,
		`INSERT INTO agent_checkpoints_chains SELECT namespace, thread_id, 1, 'old', 0, encoding, 'digest', '' FROM agent_checkpoints`,
		`ANALYZE`)
	schema := b.schema.Load()
	now := time.Now().UTC().Format("'2006-01-02 15:04:05Z'")
	for name, args := range map[string][]string{
		"save-over":          {"'agents'", "'user-7'", "'new'", "'1'", "NULL", "1", "'json'", "NULL", now, "NULL", "true", "NULL", "NULL"},
		"save-kept":          {"'agents'", "'user-7'", "'new'", "'1'", "NULL", "1", "'json'", "NULL", now, "NULL", "3"},
		"save-over-kept":     {"'agents'", "'user-7'", "'new'", "'1'", "NULL", "1", "'json'", "NULL", now, "NULL", "3", "true", "NULL", "NULL"},
		"load":               {"'agents'", "'user-7'", now},
		"load-version":       {"'agents'", "'user-7'", now, "1"},
		"find":               {"'agents'", "'user-7'", now, "'old'"},
		"load-chain":         {"'agents'", "'user-7'", now},
		"load-chain-version": {"'agents'", "'user-7'", now, "1"},
		"versions":           {"'agents'", "'user-7'", now, "1", "9", "100", "1000", now, "7", "'id'", "true"},
		"versions-newest":    {"'agents'", "'user-7'", now, "1", "9", "100", "1000", "NULL", "NULL", "NULL", "true"},
		"delete-if":          {"'agents'", "'user-7'", now, "'id'", "NULL"},
		"delete-prefix":      {"'agents'", "'user-7'", now, "'user-8'", "500"},
		"list":               {"'agents'", "'user-7'", now, "'user-8'", "100"},
		"list-to-end":        {"'agents'", "'user-7'", now, "100"},
		"history":            {"'agents'", "'user-7'", now, "9", "100"},
		"delete":             {"'agents'", "'user-7'"},
		"namespaces":         {"''", "100"},
		"purge":              {"'agents'", now, "500"},
		"rewrite":            {"'agents'", "'user-7'", now, "1", "'old'", "'{}'", "NULL", "2", "'json'", "'digest'", now},
	} {
		plan := explain(t, db, filled(schema.statements.Get(name), args))
		sorts := strings.Contains(plan, "Sort") && (name == "list" || name == "list-to-end")
		if strings.Contains(plan, "Seq Scan") || sorts {
			t.Errorf("%s reads or sorts more than it needs:\n%s", name, plan)
		}
	}
}

// TestPlansWithoutStatistics: in a table that was never analyzed, one version is
// still found by the key of versions; by the index of ids it would take the whole
// history.
func TestPlansWithoutStatistics(t *testing.T) {
	t.Parallel()
	dsn := testserver.PostgresInEnglish(t)
	b, db := openReady(t, dsn), plain(t, dsn)
	now := time.Now().UTC().Format("'2006-01-02 15:04:05Z'")
	kept := explain(t, db, filled(b.schema.Load().statements.Get("save-kept"), []string{"'agents'", "'log'", "'new'", "'1'", "NULL", "1", "'json'", "NULL", now, "NULL", "3"}))
	if !strings.Contains(kept, "AND (version >=") || strings.Contains(kept, "Filter: (version") && !strings.Contains(kept, "AND (id = ") {
		t.Errorf("save-kept reads the history to find the version that goes:\n%s", kept)
	}
	for name, args := range map[string][]string{
		"load-version":    {"'agents'", "'log'", now, "1"},
		"versions":        {"'agents'", "'log'", now, "1", "9", "100", "1000", now, "7", "'id'", "true"},
		"versions-newest": {"'agents'", "'log'", now, "1", "9", "100", "1000", now, "7", "'id'", "true"},
	} {
		if plan := explain(t, db, filled(b.schema.Load().statements.Get(name), args)); strings.Contains(plan, "_id_idx") {
			t.Errorf("%s looks up a version by the index of ids:\n%s", name, plan)
		}
	}
}

// filled is a query with its parameters in it.
func filled(query string, args []string) string {
	for i, arg := range slices.Backward(args) { // $1 is the beginning of $10
		query = strings.ReplaceAll(query, fmt.Sprintf("$%d", i+1), arg)
	}
	return query
}

func explain(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN "+query)
	if err != nil {
		t.Fatalf("%v in %s", err, query)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}

package sqlite

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ckpt/checkpoint/driver"
)

// TestPlans has SQLite explain how it would run every statement: each must find
// its rows by an index, whatever is in the table, and none may sort.
func TestPlans(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "agents.db")
	b, err := Driver{}.Open(file + "?synchronous=normal")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	checkPlans(t, db, "in an empty table")
	for i := range 2000 {
		now := time.Now()
		req := driver.SaveRequest{Key: driver.Key{Namespace: "agents", Thread: fmt.Sprint(i % 500)}, ID: fmt.Sprint(i), Payload: []byte("{}"), Encoding: "json", Now: now, Keep: 1 + i%5}
		if i%2 == 0 {
			req.ExpiresAt = now.Add(time.Hour)
		}
		if _, err := b.Save(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	checkPlans(t, db, "in a full table")
	if _, err := db.Exec("ANALYZE"); err != nil {
		t.Fatal(err)
	}
	checkPlans(t, db, "after ANALYZE")
}

func checkPlans(t *testing.T, db *sql.DB, when string) {
	t.Helper()
	for name, text := range parseStatements(DefaultTableName, true) {
		switch name {
		case "tables", "version", "create_schema", "record":
			continue // about tables, and the row of a table that has one
		}
		rows, err := db.Query("EXPLAIN QUERY PLAN "+text, make([]any, parameters(text))...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
			if strings.Contains(detail, "TEMP B-TREE") || strings.HasPrefix(detail, "SCAN "+DefaultTableName) || detail == "SCAN t" || detail == "SCAN c" {
				t.Errorf("%s, statement %s: %s", when, name, detail)
			}
		}
		if err := rows.Err(); err != nil {
			t.Error(err)
		}
		rows.Close()
		if index := "agent_checkpoints_older_id"; name == "head" && !strings.Contains(strings.Join(plan, " "), index) {
			t.Errorf("%s, statement %s does not look for the id in %s: %q", when, name, index, plan)
		}
	}
}

// parameters returns how many parameters a statement has.
func parameters(text string) int {
	n := strings.Count(text, "?")
	for i := 1; i <= 10; i++ {
		if strings.Contains(text, fmt.Sprint("?", i)) {
			n = i
		}
	}
	return n
}
